"""A video for people."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import JSONPreview

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.datasets.local import LocalDataset, json_preview

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Film:
    """Pictures and their rate.

    Attributes:
        frames: (T, H, W, 3) uint8 RGB, with even height and width.
        frames_per_second: How fast they follow one another.
    """

    frames: "np.ndarray[Any, np.dtype[np.uint8]]"
    frames_per_second: int


class VideoFile(LocalDataset[Film, "np.ndarray[Any, np.dtype[np.uint8]]"]):
    """An MP4 file that browsers play; loading decodes all of it, (T, H, W, 3)."""

    def save(self, data: Film) -> None:
        """Encodes the pictures."""
        from vidrep_pipelines.data.video.film import write_film

        with atomic_file(self._path) as temporary:
            write_film(temporary, data.frames, data.frames_per_second)

    def load(self) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """Decodes all frames."""
        from vidrep_pipelines.data.video.decode import count_frames, read_frames

        path = self._require()
        return read_frames(path, range(count_frames(path)))

    def preview(self) -> JSONPreview:
        """Name and size of the file."""
        if not self._exists():
            return JSONPreview("{}")
        return json_preview({"file": self._path.name, "bytes": self._path.stat().st_size})
