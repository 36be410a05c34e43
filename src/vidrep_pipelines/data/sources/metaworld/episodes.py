"""Episodes of MetaWorld's scripted experts, simulated when they are opened, and the way back to a layout."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeAnnotations, EpisodeView, Segment
from vidrep_pipelines.data.sources.metaworld.config import (
    CAMERA_ORDER,
    MetaworldCamera,
    MetaworldEpisodesConfig,
)
from vidrep_pipelines.data.sources.metaworld.simulator import (
    ACTION_SIZE,
    MetaworldSimulator,
    expert_action,
)

METAWORLD = "metaworld"
"""Name of the data set."""

METAWORLD_RATE = 80.0
"""Control steps, and frames, a second."""

LayoutPart = Literal["train", "validation", "test"]

_COLLECTION = 1
"""Version of what equal parameters lead to: raised when the episodes change."""

_SEED_LIMIT = 2**31
_TRAJECTORY = re.compile(rf"{METAWORLD}/(?P<task>[^/]+)/(?P<part>train|validation|test)/(?P<number>\d{{5,}})")


@dataclass(frozen=True, eq=False)
class ExpertRun:
    """What an expert did from one start.

    Attributes:
        states: (T, 4) before each action, and after the last.
        actions: (T - 1, 4) that were executed, in -1..1.
        succeeded: Whether the last of them did the task.
    """

    states: FloatArray
    actions: FloatArray
    succeeded: bool


def run_expert(
    simulator: MetaworldSimulator,
    seed: int,
    config: MetaworldEpisodesConfig,
    watch: Callable[[], None] | None = None,
) -> ExpertRun:
    """Lets the expert act until the task is done, or its time is up.

    Args:
        simulator: Of the task.
        seed: Of the layout, and of the noise.
        config: How long, and how much noise.
        watch: Is called before each action, and after the last.
    """
    rng = generator_for(seed, "expert noise")
    simulator.reset(seed)
    states, actions = list[FloatArray](), list[FloatArray]()
    while True:
        states.append(simulator.state)
        if watch is not None:
            watch()
        if simulator.succeeded or len(actions) == config.most_steps:
            return ExpertRun(np.stack(states), np.stack(actions), simulator.succeeded)
        wanted = expert_action(simulator.task, simulator.observation)
        action = np.clip(wanted + config.noise * rng.standard_normal(ACTION_SIZE), -1, 1)
        actions.append(np.asarray(action, np.float32).astype(np.float64))  # as it is stored
        simulator.step(actions[-1])


@dataclass(frozen=True)
class MetaworldSource:
    """One layout of one task, simulated and filmed when it is opened.

    Attributes:
        config: Pictures, and how the expert acts.
        task: Its name.
        part: Which part of the data set it is in.
        number: Which layout of the part, from 0.
    """

    config: MetaworldEpisodesConfig
    task: str
    part: LayoutPart
    number: int

    @property
    def trajectory(self) -> str:
        """Its name, from which :func:`metaworld_source` finds it."""
        return f"{METAWORLD}/{self.task}/{self.part}/{self.number:05d}"

    @property
    def split(self) -> str:
        """That of its part."""
        return self.part

    @property
    def seed(self) -> int:
        """Of the layout, 0..2**31 - 1: another one for every task, part and number."""
        return seed_for(self.config.seed, self.task, self.part, self.number) % _SEED_LIMIT

    @property
    def instruction(self) -> str:
        """What the expert is told to do, in words."""
        return self.config.instruction(self.task)

    @property
    def digest(self) -> str:
        """Changes with all that the episode depends on, and not with the others."""
        config = self.config
        return digest_of(
            _COLLECTION,
            config.pictures,
            config.most_steps,
            config.noise,
            self.instruction,
            self.task,
            self.seed,
        )

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Lets the expert act and films it.

        Raises:
            InputError: The expert fails in this layout.
            MissingExtraError: MetaWorld is not installed.
            ConfigurationError: There is no such task, or nothing to render with.
        """
        simulator, cameras = MetaworldSimulator(self.task, self.config.pictures), self.config.pictures.cameras
        films: dict[MetaworldCamera, list[Pixels]] = {camera: [] for camera in cameras}

        def film() -> None:
            seen = simulator.pictures()
            for camera, frames in films.items():
                frames.append(seen[camera])

        try:
            run = run_expert(simulator, self.seed, self.config, film)
        finally:
            simulator.close()
        if not run.succeeded:
            raise InputError(
                f"{self.trajectory}: the expert did not do its task in {self.config.most_steps} steps. "
                "Remedy: none is needed, the others are used; or raise metaworld.most_steps, or lower "
                "metaworld.noise."
            )
        yield self._episode(run, films)

    def _episode(self, run: ExpertRun, films: dict[MetaworldCamera, list[Pixels]]) -> Episode:
        length = len(run.states)
        return Episode(
            robot=METAWORLD,
            views=[
                EpisodeView(CAMERA_ORDER.index(camera), length, iter(frames))
                for camera, frames in films.items()
            ],
            states=run.states.astype(np.float32),
            actions=run.actions.astype(np.float32),
            annotations=EpisodeAnnotations(
                segments=(Segment(0, length, self.instruction, self.task),),
                frames_per_second=METAWORLD_RATE,
                success=True,
            ),
        )


def list_metaworld(config: MetaworldEpisodesConfig) -> list[MetaworldSource]:
    """The layouts of all tasks, task by task and part by part."""
    layouts: dict[LayoutPart, int] = {
        "train": config.train_layouts,
        "validation": config.validation_layouts,
        "test": config.test_layouts,
    }
    return [
        MetaworldSource(config, task, part, number)
        for task in config.tasks
        for part, count in layouts.items()
        for number in range(count)
    ]


def metaworld_source(trajectory: str, config: MetaworldEpisodesConfig) -> MetaworldSource:
    """The episode of that name.

    Args:
        trajectory: Name of the episode, such as ``metaworld/reach-v3/test/00012``.
        config: What the data set was made with.

    Raises:
        InputError: It is no episode of these tasks.
    """
    found = _TRAJECTORY.fullmatch(trajectory)
    if found is None or found["task"] not in config.tasks:
        raise InputError(
            f"{trajectory!r} is no episode of {', '.join(config.tasks)} in MetaWorld, such as "
            f"'{METAWORLD}/{config.tasks[0]}/test/00012'."
        )
    part: LayoutPart = found["part"]  # type: ignore[assignment]
    return MetaworldSource(config, found["task"], part, int(found["number"]))
