"""What arrays and small tuples are called in signatures."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Pixels = NDArray[np.uint8]
"""RGB images (..., H, W, 3), or maps of labels (..., H, W)."""

Ranks = NDArray[np.int64]
"""Numbers of frames in a video, counted from 0."""

Pair = tuple[float, float]

Triple = tuple[float, float, float]
"""One number each for red, green and blue."""
