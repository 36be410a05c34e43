"""What every source of a frame store gives: episodes of views, with states, actions and language."""

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from math import inf
from operator import index
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.text import is_utf8
from vidrep_pipelines.data.frame_store.config import SPLITS

NO_CAMERA = -1
"""Camera number of videos that have none; such a view is called like its trajectory."""


class DamagedViewError(InputError):
    """A view breaks off: raised by its pictures after the last one that is whole."""


@dataclass(frozen=True)
class Segment:
    """A stretch of an episode that has one description.

    Attributes:
        first: Its first frame, from 0.
        last: The frame after its last one.
        text: The description, such as an instruction.
        task: A short name of what is described, such as ``push_red_left``; none if there is none.

    Raises:
        InputError: There is no frame in it, or a text is empty or no Unicode.
    """

    first: int
    last: int
    text: str
    task: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", index(self.first))  # sources often have NumPy's
        object.__setattr__(self, "last", index(self.last))
        if not 0 <= self.first < self.last:
            raise InputError(f"A segment must have frames: {self.first}..{self.last} (exclusive) has none.")
        for name, text in (("text", self.text), ("task", self.task)):
            if text is not None and (not text.strip() or not is_utf8(text)):
                raise InputError(
                    f"The {name} of the segment {self.first}..{self.last} is "
                    f"{'not Unicode' if text.strip() else 'empty'}: {text!a}."
                )

    def within(self, frames: int) -> "Segment | None":
        """What is left of it in the first ``frames`` frames; none if nothing is."""
        return replace(self, last=min(self.last, frames)) if self.first < frames else None


@dataclass(frozen=True)
class EpisodeAnnotations:
    """What is said about the frames of an episode.

    Attributes:
        segments: Instructions with the frames that they hold for. They may overlap and leave gaps.
        phases: Parts of a plan, such as reach and grasp, with their frames.
        frames_per_second: Rate of the frames; none if unknown.
        success: Whether the episode did what it was told to; none if unknown.
        mask_names: What the numbers in its masks mean, the first is the background; empty if unknown.

    Raises:
        InputError: The rate is not positive and finite, or a name in masks is no Unicode.
    """

    segments: tuple[Segment, ...] = ()
    phases: tuple[Segment, ...] = ()
    frames_per_second: float | None = None
    success: bool | None = None
    mask_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("segments", "phases", "mask_names"):  # sources often have lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.frames_per_second is not None:
            object.__setattr__(self, "frames_per_second", float(self.frames_per_second))
            if not 0 < float(self.frames_per_second) < inf:
                raise InputError(
                    f"Frames per second must be positive and finite, not {self.frames_per_second}."
                )
        if self.success is not None:
            object.__setattr__(self, "success", bool(self.success))
        if unknown := [name for name in self.mask_names if not is_utf8(name)]:
            raise InputError(f"A name in masks is not Unicode: {unknown[0]!a}.")

    def instruction_at(self, frame: int) -> str | None:
        """The text of the segment that a frame is in; of several, of the one that began last.

        Returns:
            None if the frame is in no segment.
        """
        around = [segment for segment in self.segments if segment.first <= frame < segment.last]
        return max(reversed(around), key=lambda segment: segment.first).text if around else None

    def require_inside(self, frames: int) -> None:
        """Checks that no segment or phase goes on after the episode's end.

        Raises:
            InputError: One does.
        """
        for segment in (*self.segments, *self.phases):
            if segment.last > frames:
                raise InputError(
                    f"The segment {segment.first}..{segment.last} (exclusive, {segment.text!r}) is not "
                    f"inside the episode, which has {frames} frames."
                )

    def within(self, frames: int) -> "EpisodeAnnotations":
        """What is said about the first ``frames`` frames."""
        segments, phases = (
            tuple(part for segment in stretch if (part := segment.within(frames)))
            for stretch in (self.segments, self.phases)
        )
        return replace(self, segments=segments, phases=phases)

    def to_text(self) -> str:
        """JSON text, as it is stored; equal annotations have equal texts."""
        return json.dumps(asdict(self), ensure_ascii=True, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> "EpisodeAnnotations":
        """Reads what :meth:`to_text` wrote.

        Raises:
            ValueError: It was written by something else.
        """
        try:
            fields = json.loads(text)
            return cls(
                tuple(Segment(**part) for part in fields["segments"]),
                tuple(Segment(**part) for part in fields["phases"]),
                fields["frames_per_second"],
                fields["success"],
                tuple(fields["mask_names"]),
            )
        except (AttributeError, KeyError, TypeError, InputError) as error:
            raise ValueError(f"annotations cannot be read ({error})") from error


NO_ANNOTATIONS = EpisodeAnnotations()
"""Nothing is said about the episode."""


@dataclass(frozen=True)
class EpisodeView:
    """What one camera saw.

    Attributes:
        camera: Its number, or ``NO_CAMERA``.
        source_frames: Frames that the source claims to have; 0 if it does not say.
        pictures: Yields (H, W, 3) uint8 RGB once, in order; raises ``DamagedViewError`` at damage.
        masks: Yields (h, w) uint8 of what is where, one after each picture was taken, so that a renderer may
            make both at once; 0 is the background, ``EpisodeAnnotations.mask_names`` names the rest. None if
            nothing is known.
    """

    camera: int
    source_frames: int
    pictures: Iterator[NDArray[np.uint8]]
    masks: Iterator[NDArray[np.uint8]] | None = None


def without_outcomes() -> NDArray[np.float32]:
    """Outcomes (0, 2) of an episode without rewards."""
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True)
class Episode:
    """One trajectory, while its file is open.

    Attributes:
        robot: What acts; for videos without robots, their class. Results are reported by it.
        views: What its cameras saw.
        states: (T, S) float32, before each action; T = 0 where nothing is known.
        actions: (T - 1, A) float32, between the frames; may be one row longer.
        outcomes: (T - 1, 2) float32, what each action earned: its reward, and the discount that came with it
            (0 where the episode ended for good, else 1). No rows where nothing is known.
        annotations: What it was told to do, its rate, and whether it succeeded.
    """

    robot: str
    views: Iterable[EpisodeView]
    states: NDArray[np.float32]
    actions: NDArray[np.float32]
    outcomes: NDArray[np.float32] = field(default_factory=without_outcomes)
    annotations: EpisodeAnnotations = NO_ANNOTATIONS

    @property
    def usable_frames(self) -> int | None:
        """The number of frames for which states and actions are known; none if there are no states."""
        return min(len(self.states), len(self.actions) + 1) if len(self.states) else None


class EpisodeSource(Protocol):
    """Where an episode comes from: small and picklable."""

    @property
    def trajectory(self) -> str:
        """Its name: a relative path without suffix."""

    @property
    def digest(self) -> str:
        """Changes with the file and with all options that change what is read from it."""

    def open(self) -> AbstractContextManager[Episode]:
        """Opens the file.

        Raises:
            InputError: It cannot be read; the message names it.
        """


@runtime_checkable
class PresplitSource(EpisodeSource, Protocol):
    """A source that may know its split, as data sets do that are published in folders of them."""

    @property
    def split(self) -> str | None:
        """``train``, ``validation`` or ``test``; none if the store is to deal it."""


def stated_split(source: EpisodeSource) -> str | None:
    """The split that a source says it belongs to.

    Returns:
        None if it does not say.

    Raises:
        InputError: There is no such split.
    """
    split = source.split if isinstance(source, PresplitSource) else None
    if split is not None and split not in SPLITS:
        raise InputError(f"{source.trajectory}: there is no split {split!r}, only {', '.join(SPLITS)}.")
    return split


def without_controls() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """States and actions (0, 0) of an episode about which nothing is known."""
    return np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)


def view_name(trajectory: str, camera: int) -> str:
    """Name of a view: ``penn_kuka_traj7_0``; just the trajectory where cameras have no numbers."""
    return trajectory if camera == NO_CAMERA else f"{trajectory}_{camera}"
