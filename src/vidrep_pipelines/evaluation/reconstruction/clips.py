"""Which clips of a frame store are reconstructed and measured."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.frame_store.windows import FrameWindows
from vidrep_pipelines.evaluation.reconstruction.config import MeasuredClipsConfig


@dataclass(frozen=True)
class MeasuredClips:
    """Windows of a store's views, chosen evenly from all of them.

    Attributes:
        store: The views of one split.
        windows: All windows of these views.
        numbers: The numbers of the windows that are used, ascending.
    """

    store: FrameStore
    windows: FrameWindows
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, store: FrameStore, config: MeasuredClipsConfig) -> "MeasuredClips":
        """Chooses the clips.

        Raises:
            ConfigurationError: There is no such split, or no view is long enough.
        """
        views = store.select(config.split)
        windows = FrameWindows(views.index.lengths, config.frames, config.first_frames, config.frames)
        count = len(windows) if config.limit is None else min(config.limit, len(windows))
        return cls(
            views, windows, np.unique(np.linspace(0, len(windows) - 1, count).round().astype(np.int64))
        )

    @property
    def digest(self) -> str:
        """A digest of the frames, of which clips of them, and of their order."""
        settings = (self.windows.window, self.windows.stride, self.numbers.tolist())
        return digest_of(self.store.content_digest, settings)

    def __len__(self) -> int:
        return len(self.numbers)

    def batches(self, size: int) -> Iterator[tuple[pd.DataFrame, NDArray[np.uint8]]]:
        """Yields all clips in order.

        Args:
            size: Clips of a batch.

        Yields:
            One row per clip (id with its frames, trajectory, robot), and (B, T, H, W, 3) uint8.
        """
        facts = self.store.table[["trajectory", "robot"]]
        for start in range(0, len(self), size):
            places = [self.windows[int(number)] for number in self.numbers[start : start + size]]
            ids = [
                f"{self.store.ids[view]}, frames {frames.start}..{frames.stop - 1}" for view, frames in places
            ]
            rows = facts.iloc[[view for view, _ in places]].reset_index(drop=True).assign(id=ids)
            yield rows, np.stack([self.store.frames_at(view, frames) for view, frames in places])
