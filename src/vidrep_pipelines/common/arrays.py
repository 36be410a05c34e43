"""Types that are written all over: arrays of one kind of number, and small tuples."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]

Pixels = NDArray[np.uint8]
"""Pictures, frames or masks, channels last."""

Ranks = NDArray[np.int64]
"""Places of frames in their video, from 0."""

Pair = tuple[float, float]
Triple = tuple[float, float, float]
"""One number for each channel."""
