"""What every source of a frame store gives: episodes of one or more views, with states and actions."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError

NO_CAMERA = -1
"""Camera number of videos that have none; such a view is called like its trajectory."""


class DamagedViewError(InputError):
    """A view breaks off: raised by its pictures after the last one that is whole."""


@dataclass(frozen=True)
class EpisodeView:
    """What one camera saw.

    Attributes:
        camera: Its number, or ``NO_CAMERA``.
        source_frames: Frames that the source claims to have; 0 if it does not say.
        pictures: Yields (H, W, 3) uint8 RGB once, in order; raises ``DamagedViewError`` at damage.
    """

    camera: int
    source_frames: int
    pictures: Iterator[NDArray[np.uint8]]


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
    """

    robot: str
    views: Iterable[EpisodeView]
    states: NDArray[np.float32]
    actions: NDArray[np.float32]
    outcomes: NDArray[np.float32] = field(default_factory=without_outcomes)

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


def without_controls() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """States and actions (0, 0) of an episode about which nothing is known."""
    return np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)


def view_name(trajectory: str, camera: int) -> str:
    """Name of a view: ``penn_kuka_traj7_0``; just the trajectory where cameras have no numbers."""
    return trajectory if camera == NO_CAMERA else f"{trajectory}_{camera}"
