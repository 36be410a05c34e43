"""The layout of a shard: all frames one after the other in one plain block of bytes.

Random reads of such a block cost one system call. Filters and chunks make them 5 to 100 times slower and
save a tenth of the space on camera pictures. One prepared episode is stored in the same layout: a shard of
its own.

There are three versions of the format. Files with annotations or masks have ``video/annotations``, ``mask``
and ``mask_offset`` besides. Where frames are stored as films, ``frames`` is the block of their records (see
``film.py``), ``film_offset`` says where each begins, and the rest is as in files with annotations. All other
files are those of the first version, byte for byte.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import (
    NO_ANNOTATIONS,
    EpisodeAnnotations,
    view_name,
    without_outcomes,
)
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5

FORMAT_VERSION = 2
"""Version of a file without annotations and masks. It is part of all digests of prepared episodes and shards,
those of annotated ones too, whose sources have other digests."""

ANNOTATED_FORMAT_VERSION = 3
"""Version of a file with annotations or masks."""

FILM_FORMAT_VERSION = 4
"""Version of a file whose frames are films."""

FRAMES = "frames"
FILM_OFFSETS = "film_offset"
MASK = "mask"
SHARD_SUFFIX = ".h5"
VERSION_STAMP = "digest"
"""Attribute of a shard: digest of all that determines its content."""

_VERSIONS = (FORMAT_VERSION, ANNOTATED_FORMAT_VERSION, FILM_FORMAT_VERSION)
_RESIZE_RULE = "area average if smaller, bicubic if larger"


@dataclass(frozen=True, eq=False)
class View:
    """All about one view but its pictures.

    Attributes:
        trajectory: Name of its trajectory.
        camera: The camera's number.
        robot: What acts in it.
        frames: Stored frames T.
        source_frames: Frames that the source claimed to have.
        states: (T, S) float32, or (0, S).
        actions: (T - 1, A) float32, or (0, A).
        pixel_sums: (2, 3) int64: per channel the sum of the gray levels and of their squares.
        outcomes: (T - 1, 2) float32 rewards and discounts, or (0, 2).
        annotations: What is said about its frames.
        masks: Masks stored with it: T or 0.
        film: Bytes of the film that its frames are; 0 where they are stored one by one.
    """

    trajectory: str
    camera: int
    robot: str
    frames: int
    source_frames: int
    states: NDArray[np.float32]
    actions: NDArray[np.float32]
    pixel_sums: NDArray[np.int64]
    outcomes: NDArray[np.float32] = field(default_factory=without_outcomes)
    annotations: EpisodeAnnotations = NO_ANNOTATIONS
    masks: int = 0
    film: int = 0

    @property
    def rows(self) -> int:
        """Rows of ``frames`` that are its own: bytes of a film, or frames."""
        return self.film or self.frames

    @property
    def is_annotated(self) -> bool:
        """Whether the former version of the format cannot hold it."""
        return self.masks > 0 or self.annotations != NO_ANNOTATIONS

    @property
    def id(self) -> str:
        """Name of the view."""
        return view_name(self.trajectory, self.camera)


def write_shard(
    path: Path,
    views: Sequence[View],
    pictures: Iterable[NDArray[np.uint8]],
    size: tuple[int, int],
    attributes: Mapping[str, Any],
    masks: Iterable[NDArray[np.uint8]] = (),
) -> None:
    """Writes a shard. Equal arguments give equal bytes.

    Args:
        path: File to write.
        views: The views, at least one, in the order of the file.
        pictures: (T, H, W, 3) uint8 per view, or the record (B,) of its film, see :func:`.encoded_film`; in
            the same order, taken one by one.
        size: H and W.
        attributes: What the whole file says about itself, besides version, size and color; its
            ``resize_rule`` if that is not the usual one.
        masks: (T, H, W) uint8 per view that has masks, in the same order; taken one by one.

    Raises:
        InputError: The views have states or actions of different sizes, or only some are films.
    """
    _require_one_storage(path, views)
    version = _version(views)
    with create_hdf5(path) as file:
        file.attrs.update(
            format_version=version,
            height=size[0],
            width=size[1],
            color="RGB",
            **{"resize_rule": _RESIZE_RULE, **attributes},
        )
        _write_pictures(file, views, pictures, size)
        file["video/offset"] = _offsets([view.frames for view in views])
        _write_facts(file, views)
        for name, arrays in (
            ("state", [view.states for view in views]),
            ("action", [view.actions for view in views]),
            ("outcome", [view.outcomes for view in views]),
        ):
            file[name] = _concatenated(path, name, arrays)
            file[f"{name}_offset"] = _offsets([len(array) for array in arrays])
        if version != FORMAT_VERSION:
            _write_annotations(file, views, masks, size)
        if version == FILM_FORMAT_VERSION:
            file[FILM_OFFSETS] = _offsets([view.film for view in views])


def rule_attribute(frames: FramesConfig) -> dict[str, str]:
    """What a file says about the rule of its pictures, if that is not the usual one."""
    return {"resize_rule": frames.rule} if frames.rule else {}


def read_views(path: Path) -> list[View]:
    """Reads everything of a shard but the pictures.

    Raises:
        InputError: The file is damaged or no shard.
    """
    try:
        with open_hdf5(path) as file:
            return _views(file)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no whole shard of frames ({error}). Remedy: make it again.") from error


def pixel_sums(frames: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(2, 3) int64 sums of gray levels and of their squares, per channel of (T, H, W, 3) frames."""
    channels = frames.reshape(-1, 3)
    counts = np.stack([np.bincount(channels[:, channel], minlength=256) for channel in range(3)])
    levels = np.arange(256, dtype=np.int64)
    return np.stack([counts @ levels, counts @ levels**2])


def _version(views: Sequence[View]) -> int:
    if any(view.film for view in views):
        return FILM_FORMAT_VERSION
    return ANNOTATED_FORMAT_VERSION if any(view.is_annotated for view in views) else FORMAT_VERSION


def _require_one_storage(path: Path, views: Sequence[View]) -> None:
    if len({view.film > 0 for view in views}) > 1:
        raise InputError(
            f"{path}: frames of some views are films, those of others are not. Remedy: turn on "
            "store.separate_robots, or store all in one way."
        )


def _write_pictures(
    file: h5py.File, views: Sequence[View], pictures: Iterable[NDArray[np.uint8]], size: tuple[int, int]
) -> None:
    offsets = _offsets([view.rows for view in views])
    row = () if views[0].film else (*size, 3)
    # Never filled beforehand: every byte is written below.
    frames = file.create_dataset(FRAMES, (offsets[-1], *row), np.uint8, fill_time="never")
    for start, stop, block in zip(offsets[:-1], offsets[1:], pictures, strict=True):
        frames[start:stop] = block


def _write_facts(file: h5py.File, views: Sequence[View]) -> None:
    text = h5py.string_dtype()
    file.create_dataset("video/traj", data=[view.trajectory for view in views], dtype=text)
    file.create_dataset("video/robot", data=[view.robot for view in views], dtype=text)
    file["video/camera"] = np.array([view.camera for view in views], np.int16)
    file["video/source_len"] = np.array([view.source_frames for view in views], np.int32)
    file["video/pixel_sums"] = np.stack([view.pixel_sums for view in views])


def _write_annotations(
    file: h5py.File, views: Sequence[View], masks: Iterable[NDArray[np.uint8]], size: tuple[int, int]
) -> None:
    texts = [view.annotations.to_text() for view in views]
    file.create_dataset("video/annotations", data=texts, dtype=h5py.string_dtype())
    offsets = _offsets([view.masks for view in views])
    stored = file.create_dataset(MASK, (offsets[-1], *size), np.uint8, fill_time="never")
    masked = [row for row, view in enumerate(views) if view.masks]
    for row, block in zip(masked, masks, strict=True):
        stored[offsets[row] : offsets[row + 1]] = block
    file[f"{MASK}_offset"] = offsets


def _offsets(lengths: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _concatenated(path: Path, name: str, arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    widths = sorted({array.shape[1] for array in arrays})
    if len(widths) > 1:
        raise InputError(
            f"{path}: a {name} has {widths[0]} numbers in one episode and {widths[-1]} in another. "
            "Remedy: put sources of different kinds into stores of their own."
        )
    return np.concatenate(arrays).astype(np.float32)


def _views(file: h5py.File) -> list[View]:
    version = file.attrs.get("format_version")
    if version not in _VERSIONS:
        raise ValueError(f"its format is not version {', '.join(map(str, _VERSIONS))}")
    video = file["video"]
    facts = zip(
        video["traj"].asstr()[:],
        video["camera"][:].tolist(),
        video["robot"].asstr()[:],
        np.diff(video["offset"][:]).tolist(),
        video["source_len"][:].tolist(),
        _ragged(file, "state"),
        _ragged(file, "action"),
        video["pixel_sums"][:],
        _ragged(file, "outcome"),
        strict=True,
    )
    views = [View(*fact) for fact in facts]
    return views if version == FORMAT_VERSION else _annotated(file, views)


def _annotated(file: h5py.File, views: Sequence[View]) -> list[View]:
    texts, masks = file["video/annotations"].asstr()[:], np.diff(file[f"{MASK}_offset"][:]).tolist()
    films = np.diff(file[FILM_OFFSETS][:]).tolist() if FILM_OFFSETS in file else [0] * len(views)
    return [
        replace(view, annotations=EpisodeAnnotations.from_text(text), masks=count, film=film)
        for view, text, count, film in zip(views, texts, masks, films, strict=True)
    ]


def _ragged(file: h5py.File, name: str) -> list[NDArray[np.float32]]:
    return np.split(file[name][:], file[f"{name}_offset"][1:-1])
