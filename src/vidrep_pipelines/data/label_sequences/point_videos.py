"""Videos with tracks of points: what they are, and the one file that the videos of a release are kept in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5

POINT_VIDEOS_SUFFIX = ".h5"
POINT_VIDEO_COLUMNS = {
    "id": "string",
    "frames": "Int32",
    "width": "Int32",
    "height": "Int32",
    "points": "Int32",
    "path": "string",
    "digest": "string",
    "error": "string",
}
"""Columns of a table of videos with points. ``path``: the file that holds them. ``digest``: changes with the
release. ``error``: why a video cannot be evaluated; then the numbers are empty."""

_FRAMES, _POINTS, _OCCLUDED, _ERROR = "frames", "points", "occluded", "error"


@dataclass(frozen=True)
class PointVideo:
    """A video of T frames and N points that are followed through it.

    Attributes:
        frames: (T, H, W, 3), RGB.
        points: (N, T, 2) x and y as shares of width and height, from the picture's top left corner; of any
            value where a point cannot be seen.
        occluded: (N, T) True where a point cannot be seen, because it is covered or outside the picture.
    """

    frames: Pixels
    points: FloatArray
    occluded: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count, length = self.occluded.shape
        assert self.points.shape == (count, length, 2)
        assert len(self.frames) == length


def write_point_videos(path: Path, videos: Iterable[tuple[str, PointVideo | InputError]]) -> dict[str, int]:
    """Writes the videos of a release, one at a time, frame by frame, so that each is read without the others.

    Args:
        path: The file.
        videos: Name and video, or what is wrong with it, which is kept in place of the video.

    Returns:
        How many videos, points and frames there are, and how many videos cannot be used.
    """
    counts = {"videos": 0, "points": 0, "frames": 0, "refused": 0}
    with create_hdf5(path) as file:
        for name, video in videos:
            group = file.create_group(name)
            counts["videos"] += 1
            if isinstance(video, InputError):
                group.attrs[_ERROR] = str(video)
                counts["refused"] += 1
                continue
            group.create_dataset(_FRAMES, data=video.frames, chunks=(1, *video.frames.shape[1:]))
            group.create_dataset(_POINTS, data=video.points.astype(np.float64))
            group.create_dataset(_OCCLUDED, data=video.occluded)
            counts["points"] += len(video.points)
            counts["frames"] += len(video.frames)
    return counts


def point_video_table(path: Path, digest: str) -> pd.DataFrame:
    """One row for each video in a file, those that cannot be evaluated included.

    Args:
        path: A file of :func:`write_point_videos`.
        digest: Changes with what the file was made from.

    Returns:
        Columns and types of ``POINT_VIDEO_COLUMNS``.

    Raises:
        InputError: The file is gone or damaged.
    """
    try:
        with open_hdf5(path) as file:
            rows = [_row(name, group, path, digest) for name, group in file.items()]
    except (OSError, KeyError) as error:
        raise _damaged(path, error) from error
    return pd.DataFrame(rows, columns=list(POINT_VIDEO_COLUMNS)).astype(POINT_VIDEO_COLUMNS)


def _row(name: str, group: Any, path: Path, digest: str) -> dict[str, Any]:
    row: dict[str, Any] = {"id": name, "path": str(path), "digest": digest_of(digest, name)}
    if _ERROR in group.attrs:
        return {**row, "error": str(group.attrs[_ERROR])}
    frames, height, width, _ = group[_FRAMES].shape
    return {**row, "frames": frames, "width": width, "height": height, "points": len(group[_POINTS])}


def read_point_video(row: Mapping[str, Any]) -> PointVideo:
    """The video of a row of the table.

    Raises:
        InputError: The file is gone or damaged.
    """
    path = Path(row["path"])
    try:
        with open_hdf5(path) as file:
            group = file[row["id"]]
            return PointVideo(group[_FRAMES][...], group[_POINTS][...], group[_OCCLUDED][...])
    except (OSError, KeyError) as error:
        raise _damaged(path, error) from error


def evaluated_point_videos(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What worker processes need of the videos that can be evaluated, by id.

    Raises:
        InputError: There is none.
    """
    rows = table[table["error"].isna()]
    if rows.empty:
        reasons = "; ".join(table["error"].dropna().unique()[:3]) or "the release is empty"
        raise InputError(f"None of {len(table)} videos with points can be evaluated: {reasons}")
    fields = ("id", "frames", "path", "digest")
    texts = rows[list(fields)].astype(str).to_dict("records")
    return {str(row["id"]): {field: row[field] for field in fields} for row in texts}


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} holds no videos with points ({error}). Remedy: delete it and run the pipeline again."
    )
