"""Where cloned behavior is tried out: the layouts of a task, who did it there, and what an exact state is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop_source import CAMERA_NUMBERS, TABLETOP, tabletop_source
from vidrep_pipelines.data.sources.metaworld.config import (
    CAMERA_ORDER,
    MOST_METAWORLD_STEPS,
    MetaworldEpisodesConfig,
)
from vidrep_pipelines.data.sources.metaworld.episodes import METAWORLD, MetaworldSource, metaworld_source
from vidrep_pipelines.evaluation.robot_cloning.config import WorldName
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import Demonstration
from vidrep_pipelines.evaluation.rollouts.metaworld import (
    MetaworldEnvironment,
    MetaworldExpertMaker,
    MetaworldMaker,
)
from vidrep_pipelines.evaluation.rollouts.protocol import (
    Environment,
    EnvironmentMaker,
    EpisodeStart,
    Observation,
    PolicyMaker,
)
from vidrep_pipelines.evaluation.rollouts.tabletop import (
    ScriptedArmMaker,
    TabletopEnvironment,
    TabletopMaker,
)

HeldOutPart = Literal["validation", "test"]

_MOST_TABLES = 100_000


class RobotWorld(Protocol):
    """A world with tasks, in each of which layouts are held out. Small and picklable."""

    @property
    def data_set(self) -> str:
        """Under which name its episodes are in a store."""

    @property
    def cameras(self) -> Mapping[str, int]:
        """Names of the cameras that film, the first one first, and their numbers in a store."""

    @property
    def most_steps(self) -> int:
        """Control steps after which an attempt has failed, where nothing else is said."""

    @property
    def maker(self) -> EnvironmentMaker:
        """Makes its environments; they have an ``exact_state``."""

    @property
    def expert(self) -> PolicyMaker:
        """Who made the demonstrations."""

    def starts(self, part: HeldOutPart, task: str, episodes: int) -> tuple[EpisodeStart, ...]:
        """What the first held-out episodes of a task begin with.

        Raises:
            ConfigurationError: There are fewer.
        """

    def start_of(self, demonstration: Demonstration) -> EpisodeStart:
        """What a demonstration began with.

        Raises:
            InputError: It is none of this world's.
        """


@dataclass(frozen=True)
class TabletopWorld:
    """The sample world's tabletop.

    Attributes:
        config: How tables are drawn and filmed.
    """

    config: TabletopEpisodesConfig

    data_set = TABLETOP
    most_steps = 40

    @property
    def cameras(self) -> Mapping[str, int]:
        """Those that film the table."""
        return {camera: CAMERA_NUMBERS[camera] for camera in self.config.table.cameras}

    @property
    def maker(self) -> TabletopMaker:
        """Makes tables."""
        return TabletopMaker(self.config)

    @property
    def expert(self) -> ScriptedArmMaker:
        """The scripted arm."""
        return ScriptedArmMaker(self.config)

    def starts(self, part: HeldOutPart, task: str, episodes: int) -> tuple[EpisodeStart, ...]:
        """The first tables of a part on which the task is to be done; none of them needs to be filmed."""
        found = list[EpisodeStart]()
        for number in range(_MOST_TABLES):
            if len(found) == episodes:
                return tuple(found)
            source = tabletop_source(f"{TABLETOP}/{part}/{number:05d}", self.config)
            if (told := source.instruction) is not None and told.task == task:
                found.append(EpisodeStart(source.trajectory, task, told.text))
        raise ConfigurationError(
            f"{episodes} layouts of {task} are asked for, and {_MOST_TABLES} tables have {len(found)}. "
            "Remedy: lower eval_robot.episodes and selection_episodes."
        )

    def start_of(self, demonstration: Demonstration) -> EpisodeStart:
        """The table's name says it all."""
        return EpisodeStart(demonstration.trajectory, demonstration.task, demonstration.instruction)


@dataclass(frozen=True)
class MetaworldWorld:
    """MetaWorld (extra ``robots``).

    Attributes:
        config: Tasks, layouts and pictures.
    """

    config: MetaworldEpisodesConfig

    data_set = METAWORLD
    most_steps = MOST_METAWORLD_STEPS

    @property
    def cameras(self) -> Mapping[str, int]:
        """Those that film the scenes."""
        return {camera: CAMERA_ORDER.index(camera) for camera in self.config.pictures.cameras}

    @property
    def maker(self) -> MetaworldMaker:
        """Makes simulators."""
        return MetaworldMaker(self.config.pictures)

    @property
    def expert(self) -> MetaworldExpertMaker:
        """MetaWorld's scripted experts."""
        return MetaworldExpertMaker(self.config)

    def starts(self, part: HeldOutPart, task: str, episodes: int) -> tuple[EpisodeStart, ...]:
        """The first layouts of a part; none of them needs to be filmed."""
        sources = [MetaworldSource(self.config, task, part, number) for number in range(episodes)]
        return tuple(EpisodeStart(one.trajectory, one.task, one.instruction, one.seed) for one in sources)

    def start_of(self, demonstration: Demonstration) -> EpisodeStart:
        """Its layout has the seed that follows from its name."""
        source = metaworld_source(demonstration.trajectory, self.config)
        return EpisodeStart(source.trajectory, source.task, source.instruction, source.seed)


def robot_world(
    name: WorldName | None, tabletop: TabletopEpisodesConfig, metaworld: MetaworldEpisodesConfig | None
) -> TabletopWorld | MetaworldWorld:
    """The world of an evaluation.

    Args:
        name: Which. None: MetaWorld where it is described, else the tabletop.
        tabletop: How tables are drawn and filmed.
        metaworld: MetaWorld's tasks and layouts. None: there are none.

    Raises:
        ConfigurationError: It is MetaWorld, and that is not described.
    """
    if name == "tabletop" or (name is None and metaworld is None):
        return TabletopWorld(tabletop)
    if metaworld is None:
        raise ConfigurationError(
            "eval_robot.world is metaworld, and robot_demos.metaworld is null. Remedy: give "
            "robot_demos.metaworld the tasks, such as {tasks: [drawer-open-v3, hammer-v3]}."
        )
    return MetaworldWorld(metaworld)


def camera_of(world: RobotWorld, wanted: str | None) -> str:
    """The camera that is looked through.

    Raises:
        ConfigurationError: The world has none of that name.
    """
    if wanted is None:
        return next(iter(world.cameras))
    if wanted not in world.cameras:
        raise ConfigurationError(
            f"eval_robot.camera is {wanted}; demonstrations were filmed by {', '.join(world.cameras)}. "
            "Remedy: name one of these, or have robot_demos film by it."
        )
    return wanted


class BlindEnvironment:
    """An environment that shows nothing, for policies that look at no picture: rendering is most of the work.

    Args:
        environment: One of those that have an ``exact_state``.
        exact: Whether the exact state of the scene is told, in place of what the robot feels.
    """

    def __init__(self, environment: TabletopEnvironment | MetaworldEnvironment, exact: bool) -> None:
        self._environment, self._exact = environment, exact

    @property
    def renderer(self) -> str:
        """That of the environment, so that its episodes are compared with those of others."""
        return self._environment.renderer

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode."""
        self._environment.reset(start)

    def observe(self, *, pictures: bool) -> Observation:
        """No picture; a state."""
        del pictures  # nothing is rendered
        if self._exact:
            return Observation({}, self._environment.exact_state)
        return self._environment.observe(pictures=False)

    def step(self, action: FloatArray) -> float:
        """As the environment."""
        return self._environment.step(action)

    def succeeded(self) -> bool:
        """As the environment."""
        return self._environment.succeeded()

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()


@dataclass(frozen=True)
class BlindMaker:
    """Makes environments that show nothing: an :class:`~.protocol.EnvironmentMaker`.

    Attributes:
        maker: Makes what is simulated.
        exact: Whether the exact state of the scene is told, in place of what the robot feels.
    """

    maker: TabletopMaker | MetaworldMaker
    exact: bool = False

    @property
    def renderer(self) -> str:
        """That of the environment."""
        return self.maker.renderer

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its behavior depends on."""
        return {**self.maker.identity, "tells": "exact state" if self.exact else "what is felt"}

    def make(self) -> BlindEnvironment:
        """A fresh one."""
        return BlindEnvironment(self.maker.make(), self.exact)


def replayed_states(environment: Environment, start: EpisodeStart, actions: FloatArray) -> FloatArray:
    """(T, S) states before each of T - 1 recorded actions and after the last, without a picture.

    Raises:
        ConfigurationError: The actions do not do the task again.
    """
    environment.reset(start)
    states = [environment.observe(pictures=False).state]
    succeeded = False
    for action in actions:
        environment.step(action)
        states.append(environment.observe(pictures=False).state)
        succeeded = succeeded or environment.succeeded()
    if not succeeded:
        raise ConfigurationError(
            f"{start.name}: the recorded actions do not do their task again. Remedy: simulate with the "
            "parameters and the version of the simulator that the demonstrations were made with."
        )
    return np.stack(states)
