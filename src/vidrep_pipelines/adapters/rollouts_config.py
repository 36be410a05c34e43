"""How a policy is evaluated in closed loop, world by world; apart from what imports torch."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, RootModel, Tag, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.sources.metaworld.config import MOST_METAWORLD_STEPS
from vidrep_pipelines.evaluation.rollouts.config import FilmsConfig, RolloutConfig
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.models.vpp.policy.features_config import FeatureNoiseConfig
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig

ConditionName = Literal[
    "trained", "swapped", "swapped_told", "untrained", "uniform", "still", "scripted", "scripted_coded"
]
MetaworldConditionName = Literal[
    "trained", "swapped", "untrained", "uniform", "still", "scripted", "scripted_coded"
]


class TabletopRunConfig(FrozenConfig):
    """How any policy acts on the tabletop."""

    world: Literal["tabletop"] = "tabletop"
    """The sample world's tabletop, ``robot_episodes.tabletop``."""

    part: Literal["validation", "test", "held_out"] = "test"
    """Which tables: those to choose settings by, or those that are looked at once."""

    episodes: int = Field(50, ge=1)
    """Tables, the first ones of the part, each with the instruction that it was recorded under."""

    rollout: RolloutConfig = RolloutConfig(execute_steps=5, most_steps=40)
    """Execution horizon, length of an episode, when pictures are drawn, seed."""

    sampling: ActionSamplingConfig | None = None
    """How actions are sampled. None: as when the policy was measured in its training."""

    block: int = Field(25, ge=1)
    """Episodes of one item of work."""

    environments: int = Field(25, ge=1)
    """Environments of an item, which run in lock step, so that the policy plans for all at once."""


class TabletopRolloutConfig(TabletopRunConfig):
    """How a policy is evaluated on the tabletop (``params:rollout``)."""

    conditions: tuple[ConditionName, ...] = (
        *("trained", "swapped", "swapped_told", "untrained", "uniform", "still", "scripted"),
        "scripted_coded",
    )
    """What is compared. ``trained``: the policy. ``swapped``: the policy, told something about another
    object, while success is still that of the recorded instruction; ``swapped_told``: the same, and success
    is that of what it is told. ``untrained``: the same network with random weights. ``uniform`` and
    ``still``: actions by chance, and none. ``scripted``: the arm that made the demonstrations;
    ``scripted_coded``: the same, its actions encoded and decoded as the policy's are, cut off where those
    are: what a policy that learned from them can reach."""

    noise: FeatureNoiseConfig | None = None
    """Behind which noise features are read. None: as in training."""

    films: FilmsConfig = FilmsConfig()
    """Which episodes of the trained policy are filmed."""

    imagination: VideoSamplingConfig | None = None
    """How the video model predicts what films show beside what happened. None: they show no prediction."""


class MetaworldRolloutConfig(FrozenConfig):
    """How a policy is evaluated in MetaWorld (``params:rollout``)."""

    world: Literal["metaworld"]
    """MetaWorld's tasks, ``robot_episodes.metaworld``; needs the extra ``robots``."""

    part: Literal["validation", "test"] = "test"
    """Which layouts: those to choose settings by, or those that are looked at once."""

    episodes: int = Field(25, ge=1)
    """Layouts of each task, the first ones of the part."""

    conditions: tuple[MetaworldConditionName, ...] = (
        *("trained", "swapped", "untrained", "uniform", "still", "scripted", "scripted_coded"),
    )
    """What is compared. ``trained``: the policy. ``swapped``: the policy, told the instruction of another
    task, while success is still that of the scene's own. ``untrained``: the same network with random
    weights. ``uniform`` and ``still``: actions by chance, and none. ``scripted``: MetaWorld's expert;
    ``scripted_coded``: the same, its actions encoded and decoded as the policy's are. There is no
    ``swapped_told``: in the scene of one task, another cannot be done."""

    rollout: RolloutConfig = RolloutConfig(execute_steps=5, most_steps=200)
    """Execution horizon, length of an episode, when pictures are drawn, seed."""

    sampling: ActionSamplingConfig | None = None
    """How actions are sampled. None: as when the policy was measured in its training."""

    noise: FeatureNoiseConfig | None = None
    """Behind which noise features are read. None: as in training."""

    films: FilmsConfig = FilmsConfig()
    """Which episodes of the trained policy are filmed."""

    imagination: VideoSamplingConfig | None = None
    """How the video model predicts what films show beside what happened. None: they show no prediction."""

    block: int = Field(25, ge=1)
    """Episodes of one item of work."""

    environments: int = Field(5, ge=1)
    """Environments of an item, which run in lock step; each is a simulator of some 200 MB."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.rollout.most_steps > MOST_METAWORLD_STEPS:
            raise ValueError(f"rollout.rollout.most_steps: MetaWorld ends after {MOST_METAWORLD_STEPS} steps")
        return self


class DmcRolloutConfig(FrozenConfig):
    """How a policy is evaluated in the DeepMind Control Suite (``params:rollout``)."""

    world: Literal["dmc"]
    """DM Control's tasks, ``robot_episodes.dmc``; needs the extra ``robots``."""

    part: Literal["validation", "test"] = "test"
    """Which starts: those to choose settings by, or those that are looked at once."""

    episodes: int = Field(25, ge=1)
    """Starts of each task, the first ones of the part."""

    conditions: tuple[MetaworldConditionName, ...] = (
        *("trained", "swapped", "untrained", "uniform", "still", "scripted", "scripted_coded"),
    )
    """What is compared, as in MetaWorld; ``scripted`` is the closed-form controller, and ``swapped`` needs
    two tasks."""

    rollout: RolloutConfig = RolloutConfig(execute_steps=5, most_steps=250)
    """Execution horizon, length of an episode, when pictures are drawn, seed. The length is that of
    ``robot_episodes.dmc``, ``control_steps`` over ``action_repeat``."""

    sampling: ActionSamplingConfig | None = None
    """How actions are sampled. None: as when the policy was measured in its training."""

    noise: FeatureNoiseConfig | None = None
    """Behind which noise features are read. None: as in training."""

    films: FilmsConfig = FilmsConfig()
    """Which episodes of the trained policy are filmed."""

    imagination: VideoSamplingConfig | None = None
    """How the video model predicts what films show beside what happened. None: they show no prediction."""

    block: int = Field(25, ge=1)
    """Episodes of one item of work."""

    environments: int = Field(5, ge=1)
    """Environments of an item, which run in lock step."""


def _world_of(given: Any) -> str:
    world = given.get("world", "tabletop") if isinstance(given, dict) else getattr(given, "world", "tabletop")
    return str(world)


class RolloutParameters(
    RootModel[
        Annotated[
            Annotated[TabletopRolloutConfig, Tag("tabletop")]
            | Annotated[MetaworldRolloutConfig, Tag("metaworld")]
            | Annotated[DmcRolloutConfig, Tag("dmc")],
            Discriminator(_world_of),
        ]
    ]
):
    """How a policy is evaluated, in the world that is named by ``world``; without it, on the tabletop."""

    model_config = ConfigDict(frozen=True)
