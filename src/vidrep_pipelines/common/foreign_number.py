"""Numbers from annotations and lists of others, checked before anything is looked up with them.

A negative index counts from the end, ``nan`` compares false with everything, and ``int`` cuts decimals off: a
wrong number becomes a wrong result unless it is refused here.
"""

import math
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError

LONGEST_SECONDS = 1e6
"""About eleven days: a longer video is a wrong unit, such as milliseconds."""


def whole_number(value: object, what: str, least: int = 0, most: int | None = None) -> int:
    """A count, an index or a label: ``3``, ``3.0``, ``"3"`` and ``" 3.0 "`` are the same.

    Args:
        value: The value as it was read.
        what: What it is, for the error: "time_start".
        least: The smallest that makes sense.
        most: The largest that makes sense; None: no limit but that of 64 bits.

    Raises:
        InputError: It is no whole number in this range.
    """
    limit = np.iinfo(np.int64).max if most is None else most
    number = _exact(value)
    if number is None or not least <= number <= limit:
        to = f"from {least} on" if most is None else f"from {least} to {most}"
        raise InputError(f"{what} is {value!r}, where a whole number {to} is expected")
    return number


def seconds(value: object, what: str) -> float:
    """A time from the start of a video.

    Raises:
        InputError: It is no number, negative, infinite or longer than any video.
    """
    number = _float(value)
    if number is None or not 0 <= number < LONGEST_SECONDS:
        raise InputError(f"{what} is {value!r}, where seconds from 0 to {LONGEST_SECONDS:.0f} are expected")
    return number


def whole_numbers(values: object, what: str, least: int, most: int) -> NDArray[np.int64]:
    """(T,) labels or indices of any type of number as whole ones.

    Raises:
        InputError: They are no list of whole numbers, or one is out of the range.
    """
    numbers = np.asarray(values)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iuf"):
        raise InputError(f"{what} must be whole numbers (T,), not {numbers.dtype} {numbers.shape}")
    # Written so that NaN, which is not equal to itself, is bad.
    good = (numbers >= least) & (numbers <= most) & (numbers == np.round(numbers))
    if not good.all():
        position = int(np.flatnonzero(~good)[0])
        raise InputError(
            f"{what}: number {position} of {len(numbers)} is {numbers[position]}, where a whole number from "
            f"{least} to {most} is expected"
        )
    return numbers.astype(np.int64)


def _exact(value: object) -> int | None:
    """The value as a whole number without loss; none if it is not one."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)  # exact also beyond 2**53
        except ValueError:
            pass
    number = _float(value)
    return int(number) if number is not None and number.is_integer() else None


def _float(value: object) -> float | None:
    """The value as a finite number; none if it is not one."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, str | SupportsFloat):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
