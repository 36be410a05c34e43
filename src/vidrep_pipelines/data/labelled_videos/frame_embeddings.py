"""Embeddings of the frames of many videos: one HDF5 file per video."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5

EMBEDDINGS_SUFFIX = ".h5"
_ARRAY = "embeddings"


@dataclass(frozen=True)
class FrameEmbeddings:
    """Handle on the embeddings of all splits. Opens a file only while it is read; picklable.

    Attributes:
        folder: The files.
        ids: Names of the videos, those of the frame store.
        content_digest: Changes when a video is added, or embedded by other weights or in another way.
    """

    folder: Path
    ids: tuple[str, ...]
    content_digest: str

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, video: str) -> NDArray[np.float32]:
        """(L, D) float32, one row per frame of the video.

        Raises:
            InputError: There is no such video, or its file is damaged.
        """
        if video not in self.ids:
            raise InputError(
                f"{self.folder} has no embeddings of {video!r}; it has those of {len(self)} videos."
            )
        return read_embeddings(self.folder / f"{video}{EMBEDDINGS_SUFFIX}")


def write_embeddings(path: Path, embeddings: NDArray[np.float32]) -> None:
    """Writes (L, D) float32 embeddings of one video."""
    with create_hdf5(path) as file:
        file[_ARRAY] = embeddings


def read_embeddings(path: Path) -> NDArray[np.float32]:
    """Reads (L, D) float32 embeddings of one video.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        with open_hdf5(path) as file:
            embeddings: NDArray[np.float32] = file[_ARRAY][:]
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path} holds no embeddings ({error}). Remedy: delete it and extract the embeddings again."
        ) from error
    return embeddings
