"""Where cloned behavior is tried out: the layouts of a task, who did it there, and what an exact state is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop_source import CAMERA_NUMBERS, TABLETOP, tabletop_source
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.demonstrations import DMC, DmcSource, dmc_source
from vidrep_pipelines.data.sources.dm_control.simulator import DMC_CAMERA, DMC_CAMERA_NUMBER
from vidrep_pipelines.data.sources.metaworld.config import (
    CAMERA_ORDER,
    MOST_METAWORLD_STEPS,
    MetaworldEpisodesConfig,
)
from vidrep_pipelines.data.sources.metaworld.episodes import METAWORLD, MetaworldSource, metaworld_source
from vidrep_pipelines.evaluation.robot_cloning.blind_environment import ExactEnvironmentMaker
from vidrep_pipelines.evaluation.robot_cloning.config import WorldName
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import Demonstration
from vidrep_pipelines.evaluation.rollouts.dmc import DmcControllerMaker, DmcMaker
from vidrep_pipelines.evaluation.rollouts.metaworld import MetaworldExpertMaker, MetaworldMaker
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, PolicyMaker
from vidrep_pipelines.evaluation.rollouts.tabletop import ScriptedArmMaker, TabletopMaker

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
        """Actions after which an attempt has failed, where nothing else is said."""

    @property
    def whole_episodes(self) -> bool:
        """Whether every attempt goes on to the end of the episode, which is then ``most_steps`` long."""

    @property
    def maker(self) -> ExactEnvironmentMaker:
        """Makes its environments."""

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
    whole_episodes = False

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
    whole_episodes = False

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


@dataclass(frozen=True)
class DmcWorld:
    """The DeepMind Control Suite (extra ``robots``).

    Attributes:
        config: Tasks, starts, episodes and pictures.
    """

    config: DmcEpisodesConfig

    data_set = DMC
    whole_episodes = True

    @property
    def cameras(self) -> Mapping[str, int]:
        """The one that films all tasks."""
        return {DMC_CAMERA: DMC_CAMERA_NUMBER}

    @property
    def most_steps(self) -> int:
        """All actions of an episode: its score is that of the whole of it."""
        return self.config.episode_actions

    @property
    def maker(self) -> DmcMaker:
        """Makes simulators."""
        return DmcMaker(self.config)

    @property
    def expert(self) -> DmcControllerMaker:
        """The closed-form controllers."""
        return DmcControllerMaker(self.config)

    def starts(self, part: HeldOutPart, task: str, episodes: int) -> tuple[EpisodeStart, ...]:
        """The first starts of a part; none of them needs to be filmed."""
        known = self.config.known_task(task)
        sources = [DmcSource(self.config, known, part, number) for number in range(episodes)]
        return tuple(EpisodeStart(one.trajectory, one.task, one.instruction, one.seed) for one in sources)

    def start_of(self, demonstration: Demonstration) -> EpisodeStart:
        """It has the seed that follows from its name."""
        source = dmc_source(demonstration.trajectory, self.config)
        return EpisodeStart(source.trajectory, source.task, source.instruction, source.seed)


def robot_world(
    name: WorldName | None,
    tabletop: TabletopEpisodesConfig,
    metaworld: MetaworldEpisodesConfig | None,
    dmc: DmcEpisodesConfig | None = None,
) -> RobotWorld:
    """The world of an evaluation.

    Args:
        name: Which. None: the one that is described, and if there is none, the tabletop.
        tabletop: How tables are drawn and filmed.
        metaworld: MetaWorld's tasks and layouts. None: there are none.
        dmc: Those of DM Control. None: there are none.

    Raises:
        ConfigurationError: It is not described, or two are and none is named.
    """
    if name is None and metaworld is not None and dmc is not None:
        raise ConfigurationError(
            "robot_demos describes metaworld and dmc, and eval_robot.world names neither. Remedy: set "
            "eval_robot.world to the one in which behavior is tried out."
        )
    simulated: dict[WorldName, RobotWorld] = {}
    if metaworld is not None:
        simulated["metaworld"] = MetaworldWorld(metaworld)
    if dmc is not None:
        simulated["dmc"] = DmcWorld(dmc)
    default: WorldName = "tabletop"
    chosen = next(iter(simulated), default) if name is None else name
    if chosen == "tabletop":
        return TabletopWorld(tabletop)
    if chosen not in simulated:
        raise ConfigurationError(
            f"eval_robot.world is {chosen}, and robot_demos.{chosen} is null. Remedy: give "
            f"robot_demos.{chosen} the tasks, such as {_TASKS[chosen]}."
        )
    return simulated[chosen]


_TASKS: Mapping[WorldName, str] = MappingProxyType(
    {
        "metaworld": "{tasks: [drawer-open-v3, hammer-v3]}",
        "dmc": "{tasks: [reacher-easy, cartpole-balance]}",
    }
)


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
