"""Which moments of which episodes a policy learns from, and what it learns there."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from vidrep_pipelines.common.arrays import IntArray, Ranks
from vidrep_pipelines.common.config import FrozenConfig

ActionKind = Literal["calvin", "bounded", "xbot", "xhand", "xhand_scaled", "xhand_absolute"]


class ItemRule(FrozenConfig):
    """Where items begin in a stretch of n frames that has one instruction, and which actions they hold."""

    chunk: PositiveInt = 10
    """A, actions of an item."""

    interval: PositiveInt = 1
    """Frames from one of its actions to the next."""

    every: PositiveInt = 1
    """Frames from the start of an item to that of the next."""

    first: NonNegativeInt = 0
    """Frame of the stretch at which the first item begins."""

    least_frames: PositiveInt = 1
    """An item begins only where so many frames of the stretch are left, its own included. CALVIN: 22, as the
    published loader leaves one window of 21 frames out at every end."""

    past_end: Literal["repeat", "drop"] = "repeat"
    """Where a chunk goes past the stretch: ``repeat`` takes its last action again and again, as published for
    xbot and xhand; ``drop`` has no such items."""

    def counts(self, frames: IntArray, known: IntArray) -> IntArray:
        """How many items stretches have, (E,).

        Args:
            frames: (E,) n, frames of each stretch.
            known: (E,) of how many of them the action is known.
        """
        needed = self._reach + 1 if self.past_end == "drop" else 1
        stop = np.minimum(frames - self.least_frames, known - needed) + 1
        counts: IntArray = -(-np.maximum(stop - self.first, 0) // self.every)
        return counts

    def start(self, number: int) -> int:
        """The frame of a stretch at which its item of this number begins, from 0."""
        return self.first + self.every * number

    def frame_ids(self, start: int, known: int) -> Ranks:
        """The frames (A,) whose actions an item holds that begins at ``start``, in 0..known - 1."""
        return np.minimum(start + self.interval * np.arange(self.chunk), known - 1)

    @property
    def _reach(self) -> int:
        """Frames from the first to the last action of an item."""
        return self.interval * (self.chunk - 1)


PUBLISHED_ITEM_RULES: dict[str, ItemRule] = {
    "calvin": ItemRule(chunk=10, least_frames=22),
    "xbot": ItemRule(chunk=8),
    "xhand": ItemRule(chunk=10, interval=2),
    "xhand_1125": ItemRule(chunk=8, interval=5, first=3),
}
"""The rules of the released configurations, by name of the data set. ``xhand_1125``: its interval is ``skip``
times 5, and its items begin at frame 3."""


class ActionsConfig(FrozenConfig):
    """What a policy is to output and what it sees of the state."""

    kind: ActionKind = "bounded"
    """``calvin``: relative actions in -1..1 with a gripper of -1 or 1. ``xbot``: differences from the state,
    within their ranges. ``xhand``: steps from the state's place and rotation, within their ranges (version
    2); ``xhand_scaled``, times fixed factors, and ``xhand_absolute``, by means and deviations (version 1).
    ``bounded``: actions of any robot within their ranges."""

    learn: Literal["commands", "states"] = "commands"
    """``states``: the states that were reached stand for the commands."""

    state_columns: tuple[NonNegativeInt, ...] = ()
    """Numbers of the state that the policy sees; empty: all."""

    mean: tuple[float, ...] = ()
    """Means for ``xhand_absolute``."""

    deviation: tuple[float, ...] = ()
    """Deviations for ``xhand_absolute``."""

    statistics_of: Literal["train", "own"] = "train"
    """Whose percentiles normalize held-out items. ``own``: those of their own split, as the original does,
    so that one action has two numbers."""

    percentiles: tuple[float, float] = (1.0, 99.0)
    """What becomes -1 and 1."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "xhand_absolute" and (not self.mean or len(self.mean) != len(self.deviation)):
            raise ValueError("actions.mean and actions.deviation must be given, as many of each")
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise ValueError(f"actions.percentiles {self.percentiles} must rise within 0..100")
        return self


class PolicyItemsConfig(FrozenConfig):
    """What of a frame store a policy is trained on (``params:policy_items.items``)."""

    data_sets: tuple[str, ...] = Field(("tabletop",), min_length=1)
    """Names of the data sets, which the store calls robots."""

    cameras: tuple[NonNegativeInt, ...] = ()
    """Numbers of the cameras that the policy looks through, in this order. Empty: those of the first
    episode. Episodes that lack one of them are left out."""

    rule: ItemRule = ItemRule()
    """Where items begin, and which actions they hold."""

    phases_each_recording: PositiveInt = 1
    """Into how many episodes each recording was cut (``trajs_each_demo``): 5 of 50 Hz to 10 Hz. All of one
    recording must be in one split."""

    phases: Literal["all", "first"] = "all"
    """Which of them are used. The original takes the first alone."""

    episodes: PositiveInt | None = None
    """Use only so many training episodes; a seeded choice, in which fewer are part of more. None: all."""

    episodes_seed: int = 0
    """Seed of that choice."""

    actions: ActionsConfig = ActionsConfig()
    """What is learned."""
