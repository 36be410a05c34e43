"""Where long videos are read from in training, and how their frames are fitted to the network."""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.common.arrays import Ranks
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.dataset import PackedClips
from vidrep_pipelines.data.clips.table import ClipRows
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.transforms import Crop
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.items import INDEX_SUFFIX
from vidrep_pipelines.models.carl.config import EvaluationCrop


def cut_and_resize(frames: NDArray[np.uint8], crop: Crop, size: int, flip: bool = False) -> Tensor:
    """Cuts the same rectangle out of all frames and resizes it, bilinear without antialiasing as published.

    Args:
        frames: (N, H, W, 3).
        crop: What to cut out.
        size: Side S of the result.
        flip: Mirror left and right.

    Returns:
        (N, 3, S, S) uint8.
    """
    # A view: torch reads the rectangle in place, and has a fast path for 8 bits with channels last.
    view = torch.from_numpy(frames).permute(0, 3, 1, 2)
    view = view[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    if (crop.height, crop.width) != (size, size):
        view = functional.interpolate(view, size=(size, size), mode="bilinear", align_corners=False)
    return view.flip(-1) if flip else view


def fit_frames(frames: NDArray[np.uint8], size: int, crop: EvaluationCrop) -> Tensor:
    """Frames as the model sees them outside training.

    Args:
        frames: (N, H, W, 3).
        size: Side S of the result.
        crop: What is cut out.

    Returns:
        (N, 3, S, S) uint8.

    Raises:
        InputError: ``center_native`` of frames that are smaller than the result.
    """
    return cut_and_resize(frames, _evaluation_crop(frames.shape[1], frames.shape[2], size, crop), size)


def _evaluation_crop(height: int, width: int, size: int, crop: EvaluationCrop) -> Crop:
    if crop == "resize":
        return Crop(0, 0, height, width)
    side = min(height, width) if crop == "short_side_center" else size
    if side > min(height, width):
        raise InputError(
            f"evaluation_crop center_native needs frames of at least {size} pixels, these are "
            f"{width}x{height}. Remedy: use short_side_center or resize."
        )
    # Rounded up, as published.
    return Crop(-(-(height - side) // 2), -(-(width - side) // 2), side, side)


class VideoSource(Protocol):
    """Random access to the frames of many videos. It is pickled into worker processes."""

    def __len__(self) -> int:
        """Number of videos."""

    def name(self, index: int) -> str:
        """Id of the video at a position."""

    def length(self, index: int) -> int:
        """Its frames."""

    def read(self, index: int, ranks: Ranks) -> NDArray[np.uint8]:
        """(N, H, W, 3) for (N,) ranks; raises a VidrepError for a bad file."""


class VideoFiles:
    """Resized clips, with their packet indices beside them.

    Args:
        clips: ``id``, ``path`` and ``frames`` of each clip.
        folder: Folder that the paths are relative to.
        reader: Reads the frames.
    """

    def __init__(
        self, clips: ClipRows | PackedClips, folder: Path, reader: FrameReader | None = None
    ) -> None:
        self._clips, self._folder = clips, folder
        self._reader = FrameReader() if reader is None else reader

    def __len__(self) -> int:
        return len(self._clips)

    def name(self, index: int) -> str:
        """Id of the clip."""
        return self._clips.id(index)

    def length(self, index: int) -> int:
        """Its frames."""
        return self._clips.frames(index)

    def read(self, index: int, ranks: Ranks) -> NDArray[np.uint8]:
        """(N, H, W, 3) for (N,) ranks."""
        path = self._folder / self._clips.file(index)
        return self._reader.read(path, ranks, path.with_suffix(INDEX_SUFFIX))


class StoredVideos:
    """The views of some splits of a frame store: split after split, sorted by id within each.

    Args:
        folder: The store.
        splits: The splits that are read.
    """

    def __init__(self, folder: Path, splits: Sequence[str]) -> None:
        self._stores = [FrameStore(folder).select(split) for split in splits]
        self._ends = np.cumsum([len(store) for store in self._stores]).tolist()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, index: int) -> str:
        """Id of the view."""
        store, position = self._place(index)
        return store.ids[position]

    def length(self, index: int) -> int:
        """Its frames."""
        store, position = self._place(index)
        return int(store.index.lengths[position])

    def read(self, index: int, ranks: Ranks) -> NDArray[np.uint8]:
        """(N, H, W, 3) for (N,) ranks."""
        store, position = self._place(index)
        return store.frames_at(position, ranks)

    def _place(self, index: int) -> tuple[FrameStore, int]:
        number = bisect_right(self._ends, index)
        return self._stores[number], index - (self._ends[number - 1] if number else 0)
