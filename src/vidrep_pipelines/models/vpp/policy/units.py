"""In which units a policy sees numbers: by their ranges, or by their means and deviations."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError

_SMALLEST_RANGE = 1e-8
"""What the original adds to the range of a number. One that never changed becomes -1 at its usual value, and
-1 or 1 at any other."""


class Units(Protocol):
    """What numbers become, and the way back."""

    @property
    def size(self) -> int:
        """D, how many numbers there are."""

    def normalized(self, values: FloatArray) -> FloatArray:
        """Values (..., D) to numbers around -1..1."""

    def restored(self, values: FloatArray) -> FloatArray:
        """The way back, (..., D)."""


@dataclass(frozen=True)
class Bounds:
    """The ranges of numbers, which become -1..1; what lies outside of them is cut off.

    Attributes:
        low: (D,) what becomes -1.
        high: (D,) what becomes 1.

    Raises:
        InputError: They are no finite rows of one length, or a range is upside down.
    """

    low: FloatArray
    high: FloatArray

    def __post_init__(self) -> None:
        _as_rows(self, "low", "high")
        if (self.low > self.high).any():
            raise InputError("A lowest value is above its highest one. Remedy: compute the statistics again.")

    @property
    def size(self) -> int:
        """See :class:`Units`."""
        return len(self.low)

    def normalized(self, values: FloatArray) -> FloatArray:
        """See :class:`Units`: 2 (x - low) / (high - low + 1e-8) - 1, cut off at -1 and 1."""
        return np.clip(2 * (values - self.low) / (self.high - self.low + _SMALLEST_RANGE) - 1, -1, 1)

    def restored(self, values: FloatArray) -> FloatArray:
        """See :class:`Units`; of what was cut off, the limit."""
        return (values + 1) / 2 * (self.high - self.low) + self.low


@dataclass(frozen=True)
class Standard:
    """Numbers by their means and deviations; nothing is cut off.

    Attributes:
        mean: (D,).
        deviation: (D,), above zero.

    Raises:
        InputError: They are no finite rows of one length, or a deviation is not positive.
    """

    mean: FloatArray
    deviation: FloatArray

    def __post_init__(self) -> None:
        _as_rows(self, "mean", "deviation")
        if (self.deviation <= 0).any():
            raise InputError("A deviation is not positive. Remedy: correct the statistics.")

    @property
    def size(self) -> int:
        """See :class:`Units`."""
        return len(self.mean)

    def normalized(self, values: FloatArray) -> FloatArray:
        """See :class:`Units`: (x - mean) / deviation."""
        return (values - self.mean) / self.deviation

    def restored(self, values: FloatArray) -> FloatArray:
        """See :class:`Units`."""
        return values * self.deviation + self.mean


@dataclass(frozen=True)
class StateCoding:
    """What a policy sees of the robot's state.

    Attributes:
        units: Those of all its numbers; none: they stay as they are.
        columns: Which of them it sees; empty: all.
        quaternion: Whether numbers 3 to 6 are one, whose first must not be negative (``xhand``).
    """

    units: Units | None = None
    columns: tuple[int, ...] = ()
    quaternion: bool = False

    def encode(self, state: FloatArray) -> FloatArray:
        """A state (S,) to (s,) float64.

        Raises:
            InputError: The state has another size than the coding is for, or is not finite.
        """
        state = sized(state, self.units.size if self.units else len(state))
        if self.quaternion:
            state = with_positive_quaternion(state)
        if self.units is not None:
            state = self.units.normalized(state)
        if self.columns and max(self.columns) >= len(state):
            raise InputError(
                f"A state has {len(state)} numbers, and number {max(self.columns)} is asked for. Remedy: "
                "correct policy_items.items.actions.state_columns."
            )
        return state[list(self.columns)] if self.columns else state


CALVIN_STATE_COLUMNS = (0, 1, 2, 3, 4, 5, 6, 14)
"""What the published loader takes of CALVIN's ``robot_obs``: pose, the gripper's width and its action. The
published policy looks at none of it."""


def with_positive_quaternion(states: FloatArray) -> FloatArray:
    """States (..., S) whose numbers 3 to 6 are a quaternion: the same rotation, its first number >= 0."""
    states = np.array(states, np.float64)
    states[..., 3:7] *= np.where(states[..., 3:4] < 0, -1.0, 1.0)
    return states


def sized(values: Any, size: int) -> FloatArray:
    """Finite numbers (..., size) in double precision, in which the original computes.

    Raises:
        InputError: They are others.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.shape[-1:] != (size,):
        raise InputError(
            f"There are {numbers.shape} numbers where {size} of each are expected. Remedy: choose the kind "
            "of actions that the data set is recorded with, and compute the statistics on it."
        )
    if not np.isfinite(numbers).all():
        raise InputError("States and actions must be finite. Remedy: leave the episode out.")
    return numbers


def _as_rows(owner: Any, *names: str) -> None:
    """Makes fields of a frozen dataclass finite rows of one length."""
    for name in names:
        object.__setattr__(owner, name, np.asarray(getattr(owner, name), np.float64))
    shapes = {getattr(owner, name).shape for name in names}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise InputError(
            f"{' and '.join(names)} must be rows of one length, not {sorted(shapes)}. Remedy: correct the "
            "statistics."
        )
    if not all(np.isfinite(getattr(owner, name)).all() for name in names):
        raise InputError(f"{' and '.join(names)} must be finite. Remedy: compute the statistics again.")
