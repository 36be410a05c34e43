"""Which data sets are mixed in which shares, how episodes are cut into clips, and what is drawn when."""

from collections.abc import Sequence, Set
from typing import Literal, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from vidrep_pipelines.common.arrays import FloatArray, IntArray, Ranks
from vidrep_pipelines.common.config import FrozenConfig

_SUM_TOLERANCE = 1e-6
_Value = TypeVar("_Value")


class ClipRule(FrozenConfig):
    """How an episode of n frames is cut into clips of F frames each."""

    kind: Literal["whole", "strided"] = "strided"
    """``whole``: one clip, F frames spread evenly over the episode, rounded down. ``strided``: a clip begins
    at every ``stride``-th frame and takes every ``stride``-th from there; past the end the last one stays."""

    stride: PositiveInt = 2
    """Frames from one to the next in a clip, and from the start of a clip to that of the next."""

    max_frames: PositiveInt | None = None
    """Episodes with more frames are left out. None: all are used."""

    least_frames: PositiveInt = 1
    """A clip begins only where so many frames of the episode are left. The published rule begins one at the
    last frame, too, and trains on clips in which nothing moves."""

    def counts(self, frames: IntArray) -> IntArray:
        """Clips of episodes of so many frames (E,), each as (E,) int64."""
        starts = np.maximum(frames - self.least_frames + 1, 0)
        clips = np.minimum(starts, 1) if self.kind == "whole" else -(-starts // self.stride)
        kept = True if self.max_frames is None else frames <= self.max_frames
        return np.where(kept, clips, 0).astype(np.int64)

    def frame_ids(self, frames: int, clip: int, length: int) -> Ranks:
        """The frames (F,) of a clip, in 0..frames - 1.

        Args:
            frames: Frames of the episode.
            clip: Number of the clip in the episode, from 0.
            length: F.
        """
        if self.kind == "whole":
            return np.linspace(0, frames - 1, length).astype(np.int64)
        return np.minimum(self.stride * (clip + np.arange(length)), frames - 1)


PUBLISHED_RULES: dict[str, ClipRule] = {
    "bridge": ClipRule(kind="whole", max_frames=100),
    "sthv2": ClipRule(kind="whole", max_frames=100),
    "rt1": ClipRule(kind="whole", max_frames=100),
    "cloth": ClipRule(stride=5),
    "tabletop": ClipRule(kind="whole"),
}
"""Rules of the data sets whose names contain these words; ``ClipRule()`` for all others. The original looks
for the words in the whole path, so that a folder's name changes what is trained on. The sample world's
tabletop, which it does not know, is shown whole."""

PUBLISHED_CAMERAS: dict[str, tuple[float, ...]] = {
    "calvin": (0.75, 0.25),
    "xhand": (0.75, 0.25),
    "xbot": (0.5, 0.25, 0.25),
}
"""Probabilities of the cameras of the data sets whose names contain these words; else the first camera."""


class MixtureConfig(FrozenConfig):
    """What is trained on: data sets, their shares, their clips and their cameras."""

    datasets: str | dict[str, float | None] = Field("tabletop", min_length=1)
    """Names and probabilities of the data sets, as ``{bridge: 0.4, rt1: 0.6}``; null leaves one out. Or names
    joined by ``+``, whose probabilities are ``prob``."""

    prob: tuple[float, ...] | None = None
    """Probabilities of the names in ``a+b+c``, in their order. None: there is only one name."""

    published_indexing: bool = False
    """The published draw: item i is clip i modulo the number of clips of the data set that is drawn, by
    NumPy's former generator. Early clips of smaller data sets then come up more often. Otherwise all clips of
    a data set are equally likely."""

    rules: dict[str, ClipRule] = Field(default_factory=dict)
    """Rules for data sets that are not cut as published, see ``PUBLISHED_RULES``; by the data set's name."""

    cameras: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Probabilities of the cameras, in the order of their numbers, for data sets of which they are not as
    published, see ``PUBLISHED_CAMERAS``."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        shares = self.shares
        _require_probabilities("mixture.datasets and mixture.prob", list(shares.values()), _joined(shares))
        for name, probabilities in self.cameras.items():
            _require_probabilities(f"mixture.cameras.{name}", probabilities)
        if unknown := sorted({*self.rules, *self.cameras} - self.shares.keys()):
            raise ValueError(
                f"mixture.rules or mixture.cameras name {unknown}, which mixture.datasets does not: "
                f"{list(self.shares)}"
            )
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Probability of every data set, in the order in which they are numbered."""
        if isinstance(self.datasets, dict):
            if self.prob is not None:
                raise ValueError("mixture.prob belongs to names joined by '+'; datasets has probabilities")
            return {name: share for name, share in sorted(self.datasets.items()) if share is not None}
        names = self.datasets.split("+")
        prob = (1.0,) if self.prob is None else self.prob
        if len(names) != len(prob) or len(set(names)) < len(names) or "" in names:
            raise ValueError(
                f"mixture.datasets {self.datasets!r} needs a name of its own and a number in mixture.prob "
                f"for each data set; mixture.prob is {list(prob)}"
            )
        return dict(zip(names, prob, strict=True))

    def among(self, names: Set[str]) -> Self:
        """The same mixture of some of its data sets, with their shares in proportion."""
        kept = {name: share for name, share in self.shares.items() if name in names}
        total = sum(kept.values())
        return type(self)(
            datasets={name: share / total for name, share in kept.items()},
            published_indexing=self.published_indexing,
            rules={name: rule for name, rule in self.rules.items() if name in names},
            cameras={name: shares for name, shares in self.cameras.items() if name in names},
        )

    def rule(self, dataset: str) -> ClipRule:
        """How the episodes of a data set are cut."""
        return self.rules.get(dataset) or _by_name(PUBLISHED_RULES, dataset, ClipRule())

    def camera_shares(self, dataset: str) -> tuple[float, ...]:
        """Probabilities of the cameras of a data set."""
        return self.cameras.get(dataset) or _by_name(PUBLISHED_CAMERAS, dataset, (1.0,))


class ClipDraw(NamedTuple):
    """What is drawn for an item."""

    dataset: int
    """Number of the data set."""
    clip: int
    """Number of the clip in it."""
    camera: int
    """Number of the camera, in the order of their probabilities."""


class HasClips(Protocol):
    """A data set as the draw sees it."""

    @property
    def clips(self) -> int:
        """Number of its clips."""

    @property
    def camera_shares(self) -> tuple[float, ...]:
        """Probabilities of its cameras."""


def draw_clip(datasets: Sequence[HasClips], shares: FloatArray, random: np.random.Generator) -> ClipDraw:
    """Draws a data set by its share, then one of its clips, all equally likely, and a camera.

    Args:
        datasets: The data sets.
        shares: Their probabilities.
        random: Decides.
    """
    number = int(random.choice(len(datasets), p=shares))
    drawn = datasets[number]
    clip = int(random.integers(drawn.clips))
    return ClipDraw(number, clip, _draw_camera(drawn.camera_shares, random))


def draw_published_clip(
    datasets: Sequence[HasClips], shares: FloatArray, index: int, random: np.random.RandomState
) -> ClipDraw:
    """The published draw, in its order: the data set, then the camera; the clip follows from the index.

    Args:
        datasets: The data sets.
        shares: Their probabilities.
        index: Number of the item.
        random: Decides, as NumPy's global generator does in the original.
    """
    number = int(random.choice(len(datasets), p=shares))
    drawn = datasets[number]
    return ClipDraw(number, index % drawn.clips, _draw_camera(drawn.camera_shares, random))


def _draw_camera(shares: tuple[float, ...], random: np.random.Generator | np.random.RandomState) -> int:
    """Nothing is drawn where there is no choice, as in the original."""
    return int(random.choice(len(shares), p=shares)) if len(shares) > 1 else 0


def _by_name(table: dict[str, _Value], dataset: str, otherwise: _Value) -> _Value:
    return next((value for word, value in table.items() if word in dataset), otherwise)


def _require_probabilities(name: str, values: Sequence[float], remedy: str = "") -> None:
    if not values or min(values) <= 0:
        raise ValueError(f"{name}: probabilities must be positive, not {list(values)}; leave out what is 0")
    if abs(sum(values) - 1) > _SUM_TOLERANCE:
        total = f"{list(values)} sum to {sum(values):g}"
        raise ValueError(f"{name}: probabilities must sum to 1, and {total}{remedy}")


def _joined(shares: dict[str, float]) -> str:
    """Names what is mixed: of several files it may be more than the one that is looked at says."""
    named = ", ".join(f"{name}: {share:g}" for name, share in shares.items())
    return f"; they are {{{named}}}. Entries of all parameter files are joined: null leaves a data set out"
