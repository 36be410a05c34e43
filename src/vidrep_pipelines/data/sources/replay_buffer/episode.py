"""Replay buffers as published with V-D4RL (arXiv 2206.04779): rows of frames, actions and rewards.

A file is HDF5 with many episodes, or NPZ with one or more. Arrays of equal length: ``observation`` uint8
(N, 3 f, H, W), of f stacked frames the newest last, or ``image`` (N, H, W, 3); ``action`` (N, A); ``reward``
(N,); ``discount`` (N,), ones if absent; ``step_type`` (N,), 0 at the first row of an episode, 1, and 2 at the
last, without it the file is one episode. A row is a frame after its action, with that action's reward.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of
from vidrep_pipelines.common.npz import npz_names, read_npz
from vidrep_pipelines.data.frame_store.episode import NO_CAMERA, Episode, EpisodeView
from vidrep_pipelines.data.hdf5 import open_foreign_hdf5

_READING = 1
_PICTURES = ("observation", "image")
_ONE_PER_ROW = ("reward", "discount", "step_type")
_KNOWN = (*_PICTURES, "action", *_ONE_PER_ROW)
_FIRST, _LAST = 0, 2
_SHOWN = 20

Columns = Mapping[str, Any]
"""Arrays by name: of an archive, or of an open HDF5 file."""


@dataclass(frozen=True)
class ReplayBufferEpisode:
    """Some rows of a file.

    Attributes:
        trajectory: Its name in the store.
        path: The file.
        start: First row.
        stop: Row after the last.
        robot: What is reported together, for example the file's level of skill.
        stamp: Tells versions of the file apart, such as its size and time.
    """

    trajectory: str
    path: Path
    start: int
    stop: int
    robot: str = ""
    stamp: str = ""

    @property
    def digest(self) -> str:
        """Changes with stamp and rows; the path does not count, so that a folder may be moved."""
        return digest_of(_READING, self.stamp, self.start, self.stop, self.robot)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Reads the rows.

        Raises:
            InputError: The file cannot be read, lacks a column, or has numbers that are not finite
                or discounts out of [0, 1].
        """
        rows = slice(self.start, self.stop)
        with opened_columns(self.path) as columns:
            name = next(name for name in _PICTURES if name in columns)
            frames = _newest_frames(columns[name][rows], self.path)
            actions, rewards = (columns[name][rows].astype(np.float32) for name in ("action", "reward"))
            rewards = rewards.reshape(len(frames))
            discounts = columns["discount"][rows] if "discount" in columns else np.ones(len(rewards))
        outcomes = np.stack([rewards, discounts.astype(np.float32).reshape(len(frames))], axis=1)
        for what, values in (("action", actions[1:]), ("reward or discount", outcomes[1:])):
            bad = ~np.isfinite(values).all(axis=1)
            if bad.any():
                raise InputError(
                    f"{self.path}, row {self.start + 1 + int(bad.argmax())}: the {what} is not a finite "
                    "number. Remedy: leave out the episode, or collect it again."
                )
        beyond = (outcomes[1:, 1] < 0) | (outcomes[1:, 1] > 1)
        if beyond.any():
            row = self.start + 1 + int(beyond.argmax())
            raise InputError(
                f"{self.path}, row {row}: the discount is {outcomes[row - self.start, 1]}, where a number "
                "from 0 (the end) to 1 is expected. Remedy: correct the column, or leave it out."
            )
        nothing = np.zeros((0, 0), np.float32)
        views = [EpisodeView(NO_CAMERA, len(frames), iter(frames))]
        yield Episode(self.robot, views, nothing, actions[1:], outcomes[1:])


@dataclass(frozen=True)
class BufferFacts:
    """What is in a file.

    Attributes:
        episodes: First row of every episode, and the row after its last.
        height: Height of the pictures in pixels.
        width: Width of the pictures in pixels.
        actions: Numbers in an action.
    """

    episodes: list[tuple[int, int]]
    height: int
    width: int
    actions: int


def buffer_facts(path: Path) -> BufferFacts:
    """Looks into a file; of HDF5, no pictures are read.

    Raises:
        InputError: The file cannot be read, or a column is missing or of another length, or episodes do not
            begin and end in turns.
    """
    with opened_columns(path) as columns:
        rows, actions = len(columns["action"]), columns["action"].shape[1]
        pictures = next(columns[name] for name in _PICTURES if name in columns)
        height, width = _size(pictures.shape, pictures.dtype, path)
        kinds = columns["step_type"][:].reshape(-1) if "step_type" in columns else None
    episodes = [(0, rows)] if kinds is None else _episodes(kinds, rows, path)
    return BufferFacts(episodes, height, width, actions)


def _episodes(kinds: NDArray[np.integer[Any]], rows: int, path: Path) -> list[tuple[int, int]]:
    starts, lasts = (np.flatnonzero(kinds == kind) for kind in (_FIRST, _LAST))
    stops = lasts + 1
    in_turns = len(starts) and starts[0] == 0 and stops[-1:] == rows
    if not in_turns or not np.array_equal(starts[1:], stops[:-1]):
        raise InputError(
            f"{path}: step_type does not mark episodes that follow one another without gaps (0 first, 1, 2 "
            "last). Remedy: leave out what is not complete."
        )
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


@contextmanager
def opened_columns(path: Path) -> Iterator[Columns]:
    """The columns of a file, after a check of their names and lengths."""
    if disguise := disguise_of(path):
        raise InputError(f"{path} is no readable replay buffer: {disguise}")
    try:
        if path.suffix == ".npz":
            columns = read_npz(path, _KNOWN, "replay buffer")
            _check(columns, path, npz_names(path))
            yield columns
            return
        with open_foreign_hdf5(path) as file:
            _check(file, path, list(file))
            yield file
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is no readable replay buffer ({error}). Remedy: download it again."
        ) from error


def _check(columns: Columns, path: Path, there: Sequence[str]) -> None:
    """Names and shapes of what is read; no picture is."""
    missing = [name for name in ("action", "reward") if name not in columns]
    missing += [] if any(name in columns for name in _PICTURES) else [" or ".join(_PICTURES)]
    if missing:
        raise InputError(
            f"{path} lacks {', '.join(missing)}; it has {', '.join(sorted(there)[:_SHOWN])}. "
            "Remedy: a file in the layout of V-D4RL."
        )
    known = [name for name in _KNOWN if name in columns]
    for name in known:
        kind = getattr(columns[name], "dtype", None)
        if kind is None or kind.kind not in "biuf" or not columns[name].shape:
            raise InputError(
                f"{path}: {name} is no array of numbers. Remedy: a file in the layout of V-D4RL."
            )
    if len(columns["action"].shape) != 2:
        raise InputError(
            f"{path}: actions are {columns['action'].shape}, expected (N, A). Remedy: one row of numbers per "
            "action, also if it is a single number."
        )
    rows = len(columns["action"])
    uneven = [
        f"{name} ({len(columns[name])})"
        for name in known
        if len(columns[name]) != rows or (name in _ONE_PER_ROW and math.prod(columns[name].shape) != rows)
    ]
    if uneven:
        raise InputError(f"{path}: {', '.join(uneven)} and action ({rows}) differ in length.")


def _newest_frames(pictures: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """(T, 3 f, H, W) or (T, H, W, 3) to (T, H, W, 3)."""
    _size(pictures.shape, pictures.dtype, path)
    if pictures.shape[-1] == 3:
        return pictures
    return np.ascontiguousarray(pictures[:, -3:].transpose(0, 2, 3, 1))


def _size(shape: tuple[int, ...], kind: np.dtype[Any], path: Path) -> tuple[int, int]:
    """Height and width of pictures of that shape."""
    if len(shape) != 4 or kind != np.uint8:
        raise InputError(f"{path}: pictures are {kind} {shape}, expected uint8 (N, 3, H, W).")
    if shape[-1] == 3:
        return shape[1], shape[2]
    if shape[1] % 3:
        raise InputError(f"{path}: pictures have {shape[1]} channels, expected 3 for each frame.")
    return shape[2], shape[3]
