"""DM Control as an environment, the starts of its episodes, and what its closed-form controllers do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.demonstrations import (
    ControllerRun,
    DmcPart,
    dmc_source,
    list_dmc,
    run_controller,
)
from vidrep_pipelines.data.sources.dm_control.simulator import DMC_ACTION_SIZE, DmcSimulator
from vidrep_pipelines.evaluation.rollouts.floors import with_other_instructions
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, Observation, PlanRequest
from vidrep_pipelines.evaluation.rollouts.replay import RecordedEpisode


class DmcEnvironment:
    """One start after another under a policy's actions; holds the simulator of one task at a time.

    An episode succeeds at its end or not at all, so that every attempt earns the return of a whole one.

    Args:
        config: Tasks, length and score of episodes, and how they are filmed.
    """

    def __init__(self, config: DmcEpisodesConfig) -> None:
        self._config = config
        self._simulator: DmcSimulator | None = None

    @property
    def renderer(self) -> str:
        """See :class:`~.protocol.Environment`."""
        return self._config.pictures.renderer

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode of the start's task, at the state that its seed draws.

        Raises:
            ConfigurationError: There is no such task.
            MissingExtraError: dm_control is not installed.
        """
        task = self._config.known_task(start.task)
        if self._simulator is None or self._simulator.task != task:
            self.close()
            self._simulator = DmcSimulator(task, self._config)
        self._simulator.reset(start.seed)

    @property
    def _running(self) -> DmcSimulator:
        if self._simulator is None:
            raise InputError("DM Control: no episode has begun; call reset(start) first")
        return self._simulator

    def observe(self, *, pictures: bool) -> Observation:
        """The picture of the camera ``fixed``; places and velocities of joints (5,), nothing of a target.

        Raises:
            ConfigurationError: There is nothing to render with.
        """
        return Observation(self._running.pictures() if pictures else {}, self._running.state)

    @property
    def exact_state(self) -> FloatArray:
        """(6,) all that the suite tells, the target included: what controllers see."""
        return self._running.exact_state

    def step(self, action: FloatArray) -> float:
        """Executes (2,) in -1..1 for ``action_repeat`` control steps; returns their rewards' sum.

        Raises:
            InputError: The action is not two finite numbers, or the episode is over.
        """
        return self._running.step(action)

    def succeeded(self) -> bool:
        """Whether the episode is over, and its score is high enough."""
        return self._running.succeeded

    def score(self) -> float:
        """Return so far over the longest possible one of the episode, 0..1."""
        return self._running.score

    def close(self) -> None:
        """Frees the simulator."""
        if self._simulator is not None:
            self._simulator.close()
        self._simulator = None


@dataclass(frozen=True)
class DmcMaker:
    """Makes DM Control's environments in worker processes: an :class:`~.protocol.EnvironmentMaker`.

    Attributes:
        config: Tasks, length and score of episodes, and how they are filmed.
    """

    config: DmcEpisodesConfig

    @property
    def renderer(self) -> str:
        """What makes the pictures."""
        return self.config.pictures.renderer

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its behavior depends on, but for the tasks and seeds of the starts."""
        rules = {"pictures", "action_repeat", "control_steps", "success_score"}
        return {"world": "dmc", **self.config.model_dump(mode="json", include=rules)}

    def make(self) -> DmcEnvironment:
        """A fresh one."""
        return DmcEnvironment(self.config)


def dmc_starts(config: DmcEpisodesConfig, part: DmcPart, episodes: int) -> list[EpisodeStart]:
    """What the first episodes of a part begin with, task by task.

    Args:
        config: Tasks and starts.
        part: Which starts; no two parts have one in common.
        episodes: How many of each task.

    Raises:
        ConfigurationError: The part has fewer.
    """
    sources = [source for source in list_dmc(config) if source.part == part and source.number < episodes]
    if len(sources) < episodes * len(config.tasks):
        raise ConfigurationError(
            f"{episodes} episodes of each task are asked for in the part {part}, and there are "
            f"{len(sources) // len(config.tasks)}. Remedy: lower the number, or raise "
            f"robot_episodes.dmc.{part}_layouts."
        )
    return [EpisodeStart(one.trajectory, one.task, one.instruction, one.seed) for one in sources]


def told_another_dmc_task(
    starts: Sequence[EpisodeStart], config: DmcEpisodesConfig, seed: int = 0
) -> list[EpisodeStart]:
    """The same starts with the instruction of another task, drawn for each.

    Raises:
        ConfigurationError: There is one task only.
    """
    instructions: dict[str, str] = {task: config.instruction(task) for task in config.tasks}
    return with_other_instructions(starts, instructions, "robot_episodes.dmc", seed)


def controller_episodes(
    starts: Sequence[EpisodeStart], config: DmcEpisodesConfig, most: int
) -> list[RecordedEpisode]:
    """What the controllers do from the first starts in which they succeed, for an oracle replay.

    Args:
        starts: What episodes begin with.
        config: Tasks, and the controllers' noise.
        most: How many episodes of each task.

    Raises:
        MissingExtraError: dm_control is not installed.
    """
    controller, recorded = DmcController(config, chunk_length=1), list[RecordedEpisode]()
    for task in dict.fromkeys(start.task for start in starts):
        done = 0
        for start in starts:
            if start.task == task and done < most and (run := controller.run(start.name)).succeeded:
                recorded.append(RecordedEpisode(start, run.actions))
                done += 1
    return recorded


class DmcController:
    """What the controllers do, as a policy: the ceiling. It looks at the exact start instead of pictures.

    Args:
        config: Tasks, and the controllers' noise.
        chunk_length: Actions of a plan.
    """

    def __init__(self, config: DmcEpisodesConfig, chunk_length: int) -> None:
        self._config, self.chunk_length = config, chunk_length
        self._simulator: DmcSimulator | None = None
        self._known: dict[str, ControllerRun] = {}

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, T, 2): the controller's actions from each request's step on, and none after the end."""
        return np.stack([self._actions(request) for request in requests])

    def _actions(self, request: PlanRequest) -> FloatArray:
        done = self.run(request.episode).actions[request.step : request.step + self.chunk_length]
        return np.concatenate([done, np.zeros((self.chunk_length - len(done), DMC_ACTION_SIZE))])

    def run(self, episode: str) -> ControllerRun:
        """What the controller does in an episode.

        Raises:
            InputError: There is no episode of that name.
        """
        if episode not in self._known:
            source = dmc_source(episode, self._config)
            if self._simulator is None or self._simulator.task != source.task:
                self._simulator = DmcSimulator(source.task, self._config)
            self._known[episode] = run_controller(self._simulator, source.seed, self._config)
        return self._known[episode]


@dataclass(frozen=True)
class DmcControllerMaker:
    """Makes a :class:`DmcController`.

    Attributes:
        config: Tasks, and the controllers' noise.
        chunk_length: Actions of a plan.
    """

    config: DmcEpisodesConfig
    chunk_length: int = 1

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does; the rest is the environment's."""
        return {"policy": "dmc_controller", "noise": self.config.noise, "seed": self.config.seed}

    def make(self) -> DmcController:
        """The policy."""
        return DmcController(self.config, self.chunk_length)
