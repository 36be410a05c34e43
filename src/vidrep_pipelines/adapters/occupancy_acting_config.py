"""How the values of an occupancy model are tried out by acting on them; apart from what imports torch."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig

ActorName = Literal["occupancy", "returns", "retrieved", "cloned", "cloned_best"]
ActingConditionName = Literal[ActorName, "random", "still", "scripted"]


class CloningConfig(FrozenConfig):
    """How actions are cloned from tokens."""

    width: int = Field(256, ge=1)
    """Units of the hidden layer, and numbers of a token's vector."""

    steps: int = Field(1500, ge=1)
    """Updates; the weights of the least error on held-out episodes are kept."""

    batch_size: int = Field(128, ge=1)
    """States of an update."""

    learning_rate: float = Field(1e-3, gt=0)
    """Of Adam."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Of what is known of a state."""

    best_share: float = Field(0.33, gt=0, le=1)
    """Share of the episodes, those that returned the most, that ``cloned_best`` learns from."""


class OccupancyActingConfig(FrozenConfig):
    """Who acts, in which episodes, and how actions are chosen (``params:occupancy_acting``)."""

    part: Literal["validation", "test"] = "test"
    """Which episodes: those to choose settings by, or those that are looked at once."""

    episodes: int = Field(60, ge=1)
    """How many, each begun by another scramble."""

    scramble: int = Field(8, ge=0)
    """Steps by chance before a policy takes over."""

    success: float = Field(0.9, gt=0, le=1)
    """Reward from which the activity counts as done, which ends the episode."""

    conditions: tuple[ActingConditionName, ...] = Field(
        ("occupancy", "returns", "retrieved", "cloned", "cloned_best", "random", "still", "scripted"),
        min_length=1,
    )
    """What is compared. ``occupancy``: of the actions that were taken in the most similar training states,
    the one to which the model gives the highest value. ``returns``: of the same, the one after which the
    episode returned the most, without a model; ``retrieved``: of the same, one by chance. ``cloned``:
    behavior cloning by a network; ``cloned_best``: from the best episodes only. ``random``: smooth velocities
    by chance; ``still``: none. ``scripted``: the script that made the data, undisturbed."""

    candidates: int = Field(8, ge=1)
    """Actions that are chosen from, each of another training episode."""

    samples: int = Field(16, ge=1)
    """States drawn from the discounted future of each, with the same noise for all candidates."""

    training_split: str = "train"
    """Episodes that actions are taken from."""

    validation_split: str = "validation"
    """Episodes by which cloning keeps its best weights."""

    cloning: CloningConfig = CloningConfig()
    """Of ``cloned`` and ``cloned_best``."""

    rollout: RolloutConfig = RolloutConfig(execute_steps=4, most_steps=80)
    """``execute_steps``: actions of a candidate that are executed before the next choice. ``seed``: of the
    episodes' scrambles and of all that is drawn."""

    block: int = Field(30, ge=1)
    """Episodes of one item of work."""

    environments: int = Field(30, ge=1)
    """Environments of an item, in lock step, so that actions are chosen for all at once."""


class OccupancyActingSpec(FrozenConfig):
    """All that acting needs, as plain data between two nodes."""

    model: Path
    """Folder of the occupancy model's checkpoint."""

    tokenizer: Path
    """Folder of the tokenizer's."""

    tokens: Path
    """Token episodes."""

    gamma: float
    """Discount of the model."""

    device: str
    """``cpu`` or ``cuda``."""

    agents: AgentEpisodesConfig
    """The world in which the episodes were collected."""

    frames: FramesConfig
    """How their pictures were stored."""

    config: OccupancyActingConfig
    """Who acts."""
