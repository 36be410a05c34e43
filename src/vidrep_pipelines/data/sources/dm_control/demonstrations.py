"""Episodes of closed-form controllers, simulated when they are opened, and the way back to a start."""

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
from vidrep_pipelines.data.frame_store.episode import (
    Episode,
    EpisodeAnnotations,
    EpisodeView,
    Segment,
)
from vidrep_pipelines.data.sources.dm_control.controllers import controller_action
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig, DmcTask
from vidrep_pipelines.data.sources.dm_control.simulator import (
    DMC_ACTION_SIZE,
    DMC_CAMERA,
    DMC_CAMERA_NUMBER,
    DmcSimulator,
)

DMC = "dmc"
"""Name of the data set."""

DmcPart = Literal["train", "validation", "test"]

_COLLECTION = 1
"""Version of what equal parameters lead to: raised when the episodes change."""

_SEED_LIMIT = 2**31
_SECONDS_OF_A_CONTROL_STEP = {"cartpole-balance": 0.01, "reacher-easy": 0.02, "point_mass-easy": 0.02}
_TRAJECTORY = re.compile(rf"{DMC}/(?P<task>[^/]+)/(?P<part>train|validation|test)/(?P<number>\d{{5,}})")


@dataclass(frozen=True, eq=False)
class ControllerRun:
    """What a controller did from one start.

    Attributes:
        states: (T, 5) before each action, and after the last.
        actions: (T - 1, 2) that were executed, in -1..1.
        rewards: (T - 1,) of each.
        score: Of the episode, 0..1.
        succeeded: Whether that is enough.
    """

    states: FloatArray
    actions: FloatArray
    rewards: FloatArray
    score: float
    succeeded: bool


def run_controller(
    simulator: DmcSimulator,
    seed: int,
    config: DmcEpisodesConfig,
    watch: Callable[[], None] | None = None,
) -> ControllerRun:
    """Lets the controller act until the episode is over.

    Args:
        simulator: Of the task.
        seed: Of the start, and of the noise.
        config: How much noise.
        watch: Is called before each action, and after the last.
    """
    rng = generator_for(seed, "controller noise")
    simulator.reset(seed)
    states, actions, rewards = list[FloatArray](), list[FloatArray](), list[float]()
    while True:
        states.append(simulator.state)
        if watch is not None:
            watch()
        if simulator.over:
            break
        wanted = controller_action(simulator.task, simulator.observation)
        wanted = np.clip(wanted + config.noise * rng.standard_normal(len(wanted)), -1, 1)
        action = np.concatenate([wanted, np.zeros(DMC_ACTION_SIZE - len(wanted))])
        actions.append(action.astype(np.float32).astype(np.float64))  # as it is stored
        rewards.append(simulator.step(actions[-1]))
    return ControllerRun(
        np.stack(states), np.stack(actions), np.array(rewards), simulator.score, simulator.succeeded
    )


@dataclass(frozen=True)
class DmcSource:
    """One start of one task, simulated and filmed when it is opened.

    Attributes:
        config: Episodes and pictures.
        task: Its name.
        part: Which part of the data set it is in.
        number: Which start of the part, from 0.
    """

    config: DmcEpisodesConfig
    task: DmcTask
    part: DmcPart
    number: int

    @property
    def trajectory(self) -> str:
        """Its name, from which :func:`dmc_source` finds it."""
        return f"{DMC}/{self.task}/{self.part}/{self.number:05d}"

    @property
    def split(self) -> str:
        """That of its part."""
        return self.part

    @property
    def seed(self) -> int:
        """Of the start, 0..2**31 - 1: another one for every task, part and number."""
        return seed_for(self.config.seed, self.task, self.part, self.number) % _SEED_LIMIT

    @property
    def instruction(self) -> str:
        """What is told, in words."""
        return self.config.instruction(self.task)

    @property
    def digest(self) -> str:
        """Changes with all that the episode depends on, and not with the others."""
        config = self.config
        rules = (config.action_repeat, config.control_steps, config.success_score, config.noise)
        return digest_of(_COLLECTION, config.pictures, rules, self.instruction, self.task, self.seed)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Lets the controller act and films it.

        Raises:
            InputError: Its score is too low.
            MissingExtraError: dm_control is not installed.
            ConfigurationError: There is nothing to render with.
        """
        simulator, film = DmcSimulator(self.task, self.config), list[Pixels]()
        try:
            run = run_controller(
                simulator, self.seed, self.config, lambda: film.append(simulator.pictures()[DMC_CAMERA])
            )
        finally:
            simulator.close()
        if not run.succeeded:
            raise InputError(
                f"{self.trajectory}: the controller's score is {run.score:.2f}, not "
                f"{self.config.success_score:g}. Remedy: none is needed, the others are used; or lower "
                "dmc.success_score or dmc.noise, or raise dmc.control_steps."
            )
        yield self._episode(run, film)

    def _episode(self, run: ControllerRun, film: list[Pixels]) -> Episode:
        rate = 1 / (_SECONDS_OF_A_CONTROL_STEP[self.task] * self.config.action_repeat)
        discounts = np.ones_like(run.rewards)
        return Episode(
            robot=DMC,
            views=[EpisodeView(DMC_CAMERA_NUMBER, len(film), iter(film))],
            states=run.states.astype(np.float32),
            actions=run.actions.astype(np.float32),
            outcomes=np.stack([run.rewards, discounts], axis=1).astype(np.float32),
            annotations=EpisodeAnnotations(
                segments=(Segment(0, len(film), self.instruction, self.task),),
                frames_per_second=rate,
                success=True,
            ),
        )


def list_dmc(config: DmcEpisodesConfig) -> list[DmcSource]:
    """The starts of all tasks, task by task and part by part."""
    starts: dict[DmcPart, int] = {
        "train": config.train_layouts,
        "validation": config.validation_layouts,
        "test": config.test_layouts,
    }
    return [
        DmcSource(config, task, part, number)
        for task in config.tasks
        for part, count in starts.items()
        for number in range(count)
    ]


def dmc_source(trajectory: str, config: DmcEpisodesConfig) -> DmcSource:
    """The episode of that name.

    Args:
        trajectory: Name of the episode, such as ``dmc/reacher-easy/test/00012``.
        config: What the data set was made with.

    Raises:
        InputError: It is no episode of these tasks.
    """
    found = _TRAJECTORY.fullmatch(trajectory)
    for task in config.tasks:
        if found is not None and found["task"] == task:
            part: DmcPart = found["part"]  # type: ignore[assignment]
            return DmcSource(config, task, part, int(found["number"]))
    raise InputError(
        f"{trajectory!r} is no episode of {', '.join(config.tasks)} in DM Control, such as "
        f"'{DMC}/{config.tasks[0]}/test/00012'."
    )
