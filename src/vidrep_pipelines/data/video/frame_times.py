"""Times of frames from what a container says, which is not always the time at which they are shown."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def are_presentation_times(ticks: Sequence[int | None]) -> bool:
    """Whether frames in presentation order never go back in time.

    If they do, the container has no presentation times and FFmpeg made some up from the order of storage, as
    for AVI; or recordings whose clocks differ were joined.
    """
    known = [tick for tick in ticks if tick is not None]
    return all(left <= right for left, right in pairwise(known))


def presentation_times(ticks: Sequence[int | None], period: int) -> NDArray[np.int64]:
    """Strictly increasing times of frames.

    Times that are missing lie between their neighbors, equal ones come one tick after the other. Times that
    go back are no presentation times: the frames are then evenly spaced.

    Args:
        ticks: The container's time of each frame, in presentation order; None where it gives none.
        period: Usual time from one frame to the next, in the same unit.

    Returns:
        (N,) int64.
    """
    count, step = len(ticks), max(period, 1)
    places = np.array([place for place, tick in enumerate(ticks) if tick is not None], np.int64)
    if not len(places) or not are_presentation_times(ticks):
        known = [tick for tick in ticks if tick is not None]
        return min(known, default=0) + step * np.arange(count, dtype=np.int64)
    values = np.array([tick for tick in ticks if tick is not None], np.int64)
    first, last = places[0], places[-1]
    numbers = np.arange(count, dtype=np.int64)
    times = values[0] + np.rint(np.interp(numbers, places, values - values[0])).astype(np.int64)
    times[places] = values  # as they are, not rounded to what floating point can express
    times += np.minimum(numbers - first, 0) * step + np.maximum(numbers - last, 0) * step
    # No time is less than its forerunner's plus one: the running maximum of what exceeds the count.
    return np.asarray(np.maximum.accumulate(times - numbers) + numbers)
