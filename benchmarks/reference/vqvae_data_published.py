"""The published way of reading samples: one .npy file per video, loaded whole each time."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def published_clip(path: Path, start: int, window: int) -> NDArray[np.uint8]:
    """(window, H, W, 3) of a video (T, H, W, 3)."""
    video: NDArray[np.uint8] = np.load(path)
    return video[start : start + window]


def published_image(path: Path, number: int) -> NDArray[np.float64]:
    """(H, W, 3) in 0..1; all frames are converted before one is taken."""
    video: NDArray[np.float64] = np.load(path).astype(np.float64) / 255.0
    image: NDArray[np.float64] = video[number]
    return image
