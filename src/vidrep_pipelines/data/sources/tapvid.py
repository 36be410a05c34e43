"""TAP-Vid as published: videos and tracks of points in one pickle.

Source: Doersch et al., "TAP-Vid: A Benchmark for Tracking Any Point in a Video", NeurIPS 2022 (arXiv
2211.03726). ``tapvid_davis.pkl`` is a dict from a video's name, ``tapvid_rgb_stacking.pkl`` a list; either
way a video is a dict of ``video`` (T, H, W, 3) uint8, ``points`` (N, T, 2) as shares of width and height, and
``occluded`` (N, T).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.common.array_pickle import load_array_pickle
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.data.label_sequences.point_videos import (
    POINT_VIDEOS_SUFFIX,
    PointVideo,
    write_point_videos,
)

DAVIS_FILE, RGB_STACKING_FILE = "tapvid_davis.pkl", "tapvid_rgb_stacking.pkl"
_ARRAYS = ("video", "points", "occluded")
_REMEDY = (
    f"Set points.root to {DAVIS_FILE} or {RGB_STACKING_FILE} of TAP-Vid, or to null for a miniature from the "
    "sample world."
)


def tapvid_file(root: Path) -> Path:
    """The pickle: ``root`` itself, or the one in this folder.

    Raises:
        InputError: There is none, or a folder has several.
    """
    if root.is_file():
        return root
    files = [root / name for name in (DAVIS_FILE, RGB_STACKING_FILE) if (root / name).is_file()]
    if len(files) != 1:
        there = (
            "has both files" if files else "is no file and holds none" if root.is_dir() else "is not there"
        )
        raise InputError(f"points.root: {root} {there}. {_REMEDY}")
    return files[0]


def read_tapvid(path: Path, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Writes the videos of a pickle into a file from which each can be read by itself.

    Nothing in the pickle is executed. It is held in memory once.

    Raises:
        InputError: It is damaged, asks for anything but arrays, or is of another layout; a single video that
            is not as it should be is named in the table instead.
    """
    return write_point_videos(outputs[POINT_VIDEOS_SUFFIX], _videos(path, load_array_pickle(path)))


def _videos(path: Path, content: Any) -> Iterator[tuple[str, PointVideo | InputError]]:
    for name, entry in _entries(path, content):
        try:
            yield name, _video(entry)
        except InputError as error:
            yield name, InputError(f"{path}, video {name}: {error}")


def _entries(path: Path, content: Any) -> list[tuple[str, Any]]:
    if isinstance(content, dict):
        strange = [name for name in content if not (isinstance(name, str) and _is_name(name))]
        if strange:
            raise InputError(f"{path} names a video {strange[0]!r}, which is no name. {_REMEDY}")
        entries = list(content.items())
    elif isinstance(content, list):
        entries = [(f"video_{number:03d}", entry) for number, entry in enumerate(content)]
    else:
        raise InputError(f"{path} is of another layout: neither a dict nor a list of videos. {_REMEDY}")
    if not entries:
        raise InputError(f"{path} holds no video. {_REMEDY}")
    return entries


def _is_name(name: str) -> bool:
    return is_usable(name) and "/" not in name


def _video(entry: Any) -> PointVideo:
    missing = [name for name in _ARRAYS if not isinstance(entry, dict) or name not in entry]
    if missing:
        raise InputError(f"{', '.join(missing)} is missing.")
    lists = [name for name in _ARRAYS if not isinstance(entry[name], np.ndarray)]
    if lists:
        raise InputError(
            f"{', '.join(lists)} is no array. TAP-Vid-Kinetics, whose frames are JPEG files, is not read."
        )
    frames, points, occluded = (entry[name] for name in _ARRAYS)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise InputError(
            f"video is {frames.shape} {frames.dtype}, not frames (T, H, W, 3) of bytes. TAP-Vid-Kinetics, "
            "whose frames are JPEG files, is not read."
        )
    length = len(frames)
    if length < 2:
        raise InputError("it has a single frame, so that there is nothing to follow a point to.")
    if points.ndim != 3 or points.shape[1:] != (length, 2) or points.dtype.kind != "f":
        raise InputError(f"points are {points.shape} {points.dtype}, not (N, {length}, 2) of shares.")
    if occluded.shape != points.shape[:2] or occluded.dtype.kind not in "biu":
        raise InputError(
            f"occluded is {occluded.shape} {occluded.dtype}, not {points.shape[:2]} truth values."
        )
    visible = ~occluded.astype(bool)
    if not visible.any():
        raise InputError("no point is ever visible.")
    if not np.isfinite(points[visible]).all():
        raise InputError("a visible point has no position (NaN).")
    # Nobody reads where a point is that cannot be seen, and NaN would go through every sum.
    return PointVideo(frames, np.where(visible[..., None], points, 0.0).astype(np.float64), ~visible)
