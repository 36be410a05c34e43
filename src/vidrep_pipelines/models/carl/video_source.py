"""Where long videos are read from in training: files, or a frame store."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.clip_dataset import PackedClips
from vidrep_pipelines.data.clip_table import ClipRows
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.items import INDEX_SUFFIX

Ranks = NDArray[np.int64]


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
    """The views of one split of a frame store, sorted by id.

    Args:
        folder: The store.
        split: Its part. None: all.
    """

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self._store = FrameStore(folder).select(split)

    def __len__(self) -> int:
        return len(self._store)

    def name(self, index: int) -> str:
        """Id of the view."""
        return self._store.ids[index]

    def length(self, index: int) -> int:
        """Its frames."""
        return int(self._store.index.lengths[index])

    def read(self, index: int, ranks: Ranks) -> NDArray[np.uint8]:
        """(N, H, W, 3) for (N,) ranks."""
        return self._store.frames_at(index, ranks)
