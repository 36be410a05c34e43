"""Oracle replay: actions that were recorded while a task was done must do it again.

Where they do not, the environment understands actions in another way than who recorded them: relative or
absolute, other scales, another order, a gripper turned round. A policy that learned from them would score 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import (
    EpisodeRecord,
    RolloutRules,
    run_courses,
    run_episodes,
)
from vidrep_pipelines.evaluation.rollouts.protocol import Environment, EpisodeStart, PlanRequest


@dataclass(frozen=True, eq=False)
class RecordedEpisode:
    """An episode in which the task was done.

    Attributes:
        start: What it began with.
        actions: (N, A), N at least one.
    """

    start: EpisodeStart
    actions: FloatArray


class RecordedActions:
    """A policy that says what was recorded, and then the last of it.

    Args:
        recorded: The actions (N, A).
    """

    def __init__(self, recorded: FloatArray) -> None:
        self._recorded = recorded

    @property
    def chunk_length(self) -> int:
        """One action: a replay never looks ahead."""
        return 1

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """The recorded action of each request's step."""
        places = [min(request.step, len(self._recorded) - 1) for request in requests]
        return self._recorded[places][:, None]


def replay_episode(environment: Environment, recorded: RecordedEpisode) -> EpisodeRecord:
    """Executes the recorded actions from the same start, without a picture but the first.

    Raises:
        InputError: There are none.
    """
    if not len(recorded.actions):
        raise InputError(f"{recorded.start.name}: there are no recorded actions to replay.")
    config = RolloutConfig(execute_steps=1, most_steps=len(recorded.actions))
    rules = RolloutRules(config, settings="replay")
    course = run_episodes(environment, [recorded.start], rules)
    [record] = run_courses([course], RecordedActions(np.asarray(recorded.actions)), config)
    return record


def require_replay(
    make_environment: Callable[[], Environment], recorded: Sequence[RecordedEpisode], least: float = 1.0
) -> list[EpisodeRecord]:
    """Replays episodes, and refuses to go on where they do not succeed.

    Args:
        make_environment: Makes an environment.
        recorded: Episodes in which their tasks were done.
        least: Share of them that must succeed. Below 1 for a simulator that is not exactly repeatable.

    Raises:
        ConfigurationError: Fewer succeed.
        InputError: There is nothing to replay.
    """
    if not recorded:
        raise InputError("There is no recorded episode to replay before a policy is scored.")
    environment = make_environment()
    try:
        records = [replay_episode(environment, episode) for episode in recorded]
    finally:
        environment.close()
    failed = [record.episode for record in records if not record.success]
    if len(records) - len(failed) < least * len(records):
        raise ConfigurationError(
            f"Recorded actions do their task in {len(records) - len(failed)} of {len(records)} replayed "
            f"episodes only (not in {failed[0]}), so that a policy's score would say nothing. Remedy: see "
            "whether actions are relative or absolute, their scale, their order and the gripper's sign, and "
            "whether the environment starts where the recording did."
        )
    return records
