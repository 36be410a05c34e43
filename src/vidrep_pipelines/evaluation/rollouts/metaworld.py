"""MetaWorld as an environment, the starts of its episodes, and what its scripted experts do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig, MetaworldPicturesConfig
from vidrep_pipelines.data.sources.metaworld.episodes import (
    ExpertRun,
    LayoutPart,
    list_metaworld,
    metaworld_source,
    run_expert,
)
from vidrep_pipelines.data.sources.metaworld.simulator import ACTION_SIZE, MetaworldSimulator
from vidrep_pipelines.evaluation.rollouts.floors import with_other_instructions
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, Observation, PlanRequest
from vidrep_pipelines.evaluation.rollouts.replay import RecordedEpisode


class MetaworldEnvironment:
    """One layout after another under a policy's actions; holds the simulator of one task at a time.

    Args:
        pictures: How it is filmed.
    """

    def __init__(self, pictures: MetaworldPicturesConfig) -> None:
        self._pictures = pictures
        self._simulator: MetaworldSimulator | None = None

    @property
    def renderer(self) -> str:
        """See :class:`~.protocol.Environment`."""
        return self._pictures.renderer

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode of the start's task in the layout of its seed, whatever is told.

        Raises:
            ConfigurationError: There is no such task.
            MissingExtraError: MetaWorld is not installed.
        """
        if self._simulator is None or self._simulator.task != start.task:
            self.close()
            self._simulator = MetaworldSimulator(start.task, self._pictures)
        self._simulator.reset(start.seed)

    @property
    def _running(self) -> MetaworldSimulator:
        if self._simulator is None:
            raise InputError("MetaWorld: no episode has begun; call reset(start) first")
        return self._simulator

    def observe(self, *, pictures: bool) -> Observation:
        """Pictures by camera; the hand's place and how far it is open, (4,).

        Raises:
            ConfigurationError: There is nothing to render with.
        """
        return Observation(self._running.pictures() if pictures else {}, self._running.state)

    @property
    def exact_state(self) -> FloatArray:
        """(39,) all that MetaWorld tells, the goal included: what its experts see."""
        return self._running.observation

    def step(self, action: FloatArray) -> float:
        """Executes (4,) in -1..1; the reward is MetaWorld's, 0..10.

        Raises:
            InputError: The action is not four finite numbers.
        """
        return self._running.step(action)

    def succeeded(self) -> bool:
        """MetaWorld's own flag of the start's task."""
        return self._running.succeeded

    def close(self) -> None:
        """Frees the simulator."""
        if self._simulator is not None:
            self._simulator.close()
        self._simulator = None


@dataclass(frozen=True)
class MetaworldMaker:
    """Makes MetaWorld's environments in worker processes: an :class:`~.protocol.EnvironmentMaker`.

    Attributes:
        pictures: How they are filmed.
    """

    pictures: MetaworldPicturesConfig

    @property
    def renderer(self) -> str:
        """What makes the pictures."""
        return self.pictures.renderer

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its behavior depends on, but for the tasks and seeds of the starts."""
        return {"world": "metaworld", "pictures": self.pictures.model_dump(mode="json")}

    def make(self) -> MetaworldEnvironment:
        """A fresh one."""
        return MetaworldEnvironment(self.pictures)


def metaworld_starts(config: MetaworldEpisodesConfig, part: LayoutPart, episodes: int) -> list[EpisodeStart]:
    """What the first episodes of a part begin with, task by task.

    Args:
        config: Tasks and layouts.
        part: Which layouts.
        episodes: How many of each task.

    Raises:
        ConfigurationError: The part has fewer.
    """
    sources = [
        source for source in list_metaworld(config) if source.part == part and source.number < episodes
    ]
    if len(sources) < episodes * len(config.tasks):
        raise ConfigurationError(
            f"{episodes} episodes of each task are asked for in the part {part}, and there are "
            f"{len(sources) // len(config.tasks)}. Remedy: lower the number, or raise "
            f"robot_episodes.metaworld.{part}_layouts."
        )
    return [EpisodeStart(one.trajectory, one.task, one.instruction, one.seed) for one in sources]


def told_another_task(
    starts: Sequence[EpisodeStart], config: MetaworldEpisodesConfig, seed: int = 0
) -> list[EpisodeStart]:
    """The same layouts with the instruction of another task, drawn for each.

    Raises:
        ConfigurationError: There is one task only.
    """
    instructions = {task: config.instruction(task) for task in config.tasks}
    return with_other_instructions(starts, instructions, "robot_episodes.metaworld", seed)


def expert_episodes(
    starts: Sequence[EpisodeStart], config: MetaworldEpisodesConfig, most: int
) -> list[RecordedEpisode]:
    """What the experts do from the first starts in which they succeed, for an oracle replay.

    Args:
        starts: What episodes begin with.
        config: How long an expert may take, and its noise.
        most: How many episodes of each task.

    Raises:
        MissingExtraError: MetaWorld is not installed.
    """
    expert, recorded = MetaworldExpert(config, chunk_length=1), list[RecordedEpisode]()
    for task in dict.fromkeys(start.task for start in starts):
        done = 0
        for start in starts:
            if start.task == task and done < most and (run := expert.run(start.name)).succeeded:
                recorded.append(RecordedEpisode(start, run.actions))
                done += 1
    return recorded


class MetaworldExpert:
    """What the experts do, as a policy: the ceiling. It looks at the exact layout instead of pictures.

    Args:
        config: Tasks, and how long an expert may take.
        chunk_length: Actions of a plan.
    """

    def __init__(self, config: MetaworldEpisodesConfig, chunk_length: int) -> None:
        self._config, self.chunk_length = config, chunk_length
        self._simulator: MetaworldSimulator | None = None
        self._known: dict[str, ExpertRun] = {}

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, T, 4): the expert's actions from each request's step on, and none after the end."""
        return np.stack([self._actions(request) for request in requests])

    def _actions(self, request: PlanRequest) -> FloatArray:
        done = self.run(request.episode).actions[request.step : request.step + self.chunk_length]
        return np.concatenate([done, np.zeros((self.chunk_length - len(done), ACTION_SIZE))])

    def run(self, episode: str) -> ExpertRun:
        """What the expert does in the layout of an episode.

        Raises:
            InputError: There is no episode of that name.
        """
        if episode not in self._known:
            source = metaworld_source(episode, self._config)
            if self._simulator is None or self._simulator.task != source.task:
                self._simulator = MetaworldSimulator(source.task, self._config.pictures)
            self._known[episode] = run_expert(self._simulator, source.seed, self._config)
        return self._known[episode]


@dataclass(frozen=True)
class MetaworldExpertMaker:
    """Makes a :class:`MetaworldExpert`.

    Attributes:
        config: Tasks, and how long an expert may take.
        chunk_length: Actions of a plan.
    """

    config: MetaworldEpisodesConfig
    chunk_length: int = 1

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does."""
        return {
            "policy": "metaworld_expert",
            "most_steps": self.config.most_steps,
            "noise": self.config.noise,
            "seed": self.config.seed,
        }

    def make(self) -> MetaworldExpert:
        """The policy."""
        return MetaworldExpert(self.config, self.chunk_length)
