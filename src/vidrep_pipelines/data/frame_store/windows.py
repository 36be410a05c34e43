"""Windows of consecutive frames: which one is number n, without a list of them all."""

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError


class FrameWindows:
    """Windows of ``window`` frames in the views of a store, numbered through.

    Only the running count of windows per view is kept, as a tensor that worker processes share.

    Args:
        frames: (V,) lengths of the views.
        window: Frames per window; 1 for single frames. Views that are shorter have none.
        first_frames: Use only so many frames from the start of each view; the published system uses 12 of
            about 31. None: all.
        stride: Frames from the start of a window to that of the next.

    Raises:
        ConfigurationError: No view is long enough.
    """

    def __init__(
        self, frames: NDArray[np.int64], window: int, first_frames: int | None = None, stride: int = 1
    ) -> None:
        usable = frames if first_frames is None else np.minimum(frames, first_frames)
        counts = np.where(usable >= window, (usable - window) // stride + 1, 0)
        if not counts.any():
            raise ConfigurationError(
                f"No view has the {window} frames of a window; the longest has {int(usable.max(initial=0))}."
            )
        self.window, self.stride = window, stride
        self._ends = torch.tensor(np.cumsum(counts))

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, number: int) -> tuple[int, slice]:
        """The position of the view, and the frames of the window.

        Raises:
            IndexError: There is no such window.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"{number} is out of range for {len(self)} windows")
        ends = self._ends.numpy()
        view = int(np.searchsorted(ends, number, side="right"))
        start = (number - (int(ends[view - 1]) if view else 0)) * self.stride
        return view, slice(start, start + self.window)
