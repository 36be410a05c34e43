"""A folder of videos, read by id and frame number."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidrep_pipelines.datasets.item_folder import ItemFolder

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Videos:
    """Handle on a folder of videos. Opens nothing until frames are asked for; picklable.

    Attributes:
        folder: Folder of the videos.
        ids: Their relative paths without the ending.
        suffix: The ending.
    """

    folder: Path
    ids: list[str]
    suffix: str

    def path(self, video_id: str) -> Path:
        """The file of a video."""
        return self.folder / f"{video_id}{self.suffix}"

    def frames(self, video_id: str, ranks: Sequence[int]) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """Decodes frames.

        Args:
            video_id: One of ``ids``.
            ranks: Positions in presentation order from 0, in any order, repeats allowed.

        Returns:
            (N, H, W, 3), RGB, 0 to 255.
        """
        from vidrep_pipelines.data.video.decode import read_frames

        return read_frames(self.path(video_id), ranks)


class VideoFolder(ItemFolder[Videos]):
    """Videos below a folder."""

    usual_suffix = ".mp4"

    def _handle(self, folder: Path, ids: list[str], suffix: str) -> Videos:
        return Videos(folder, ids, suffix)
