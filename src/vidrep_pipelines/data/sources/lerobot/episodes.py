"""LeRobotDatasets as sources of a frame store: tables and videos, read without the lerobot package."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image
from vidrep_pipelines.data.files.foreign_listing import size_and_time
from vidrep_pipelines.data.frame_store.episode import (
    DamagedViewError,
    Episode,
    EpisodeAnnotations,
    EpisodeView,
    Segment,
    without_controls,
)
from vidrep_pipelines.data.sources.lerobot.description import (
    Camera,
    LeRobotDescription,
    LeRobotOptions,
    read_description,
)
from vidrep_pipelines.data.sources.lerobot.entries import (
    EpisodeEntry,
    read_episode_entries,
    read_tasks,
    task_file,
)
from vidrep_pipelines.data.sources.lerobot.film import film_pictures
from vidrep_pipelines.data.sources.lerobot.rows import ForeignColumns, number_column

_READING = 1
_EPISODE, _FRAME, _TIME, _TASK = "episode_index", "frame_index", "timestamp", "task_index"
_ROWS_AT_ONCE, _PICTURES_AT_ONCE = 4096, 16
_REMEDY = "Remedy: download the data set again, or leave the episode out."

Columns = dict[str, NDArray[np.generic]]
"""(T, N) per column."""


@dataclass(frozen=True)
class LeRobotEpisode:
    """One episode.

    Attributes:
        trajectory: Its name in the store, such as ``pusht/episode_000012``.
        description: What the data set says about itself.
        entry: What it says about the episode.
        options: What is read.
        robot: The data set's name; results are reported by it.
        split: ``train``, ``validation`` or ``test``; none if the data set does not say.
        stamp: Tells versions of its files apart.
    """

    trajectory: str
    description: LeRobotDescription
    entry: EpisodeEntry
    options: LeRobotOptions
    robot: str
    split: str | None = None
    stamp: str = ""

    @property
    def digest(self) -> str:
        """Changes with size and time of all its files, with what the lists say about it, and the options."""
        numbers = {camera.key: camera.number for camera in self.description.cameras}
        facts = (self.stamp, self.description.rate, numbers, self.robot)
        return digest_of(_READING, self.entry, self.options, facts)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Reads its rows; pictures are decoded while they are taken.

        Raises:
            InputError: A file is missing or damaged, the episode has another length than the lists say, or
                an instruction is empty.
        """
        if self.entry.problem:
            raise InputError(self.entry.problem)
        cameras = self.description.chosen_cameras(self.options)
        path, columns = self._read()
        states, actions = self._controls(columns, path)
        annotations = EpisodeAnnotations(
            self._segments(columns, path), frames_per_second=self.description.rate
        )
        views = [self._view(camera, path) for camera in cameras]
        yield Episode(self.robot, views, states, actions, annotations=annotations)

    def _read(self) -> tuple[Path, Columns]:
        """The rows, and the file that they are in."""
        names = [name for name in (_FRAME, _TIME, _TASK, *self._control_names()) if name]
        folder, entry = self.description.folder, self.entry
        path = folder / entry.table
        columns = read_episode_rows(path, entry.index, names)
        if not len(columns[_FRAME]) and entry.later_table and (folder / entry.later_table).is_file():
            path = folder / entry.later_table
            columns = read_episode_rows(path, entry.index, names)
        self._check(columns, path)
        return path, columns

    def _check(self, columns: Columns, path: Path) -> None:
        """Whether rows and list agree, and rows and pictures will."""
        numbers, length = columns[_FRAME].ravel(), self.entry.length
        what = f"{path}: the episode {self.entry.index}"
        if len(numbers) != length or not length:
            raise InputError(f"{what} has {len(numbers)} rows, the list of episodes says {length}. {_REMEDY}")
        if not np.array_equal(numbers, np.arange(length)):
            raise InputError(f"{what}: its rows are not numbered 0 to {length - 1}. {_REMEDY}")
        if _TIME in columns:
            times, rate = columns[_TIME][:, 0].astype(float), self.description.rate
            wrong = ~(np.abs(times * rate - numbers) < 0.5)  # so that NaN is wrong, too
            if wrong.any():
                frame = int(wrong.argmax())
                raise InputError(
                    f"{what}: frame {frame} is at {times[frame]} s, which does not go with {rate:g} frames a "
                    f"second. {_REMEDY}"
                )

    def _control_names(self) -> tuple[str | None, str | None]:
        known, usual = self.description, LeRobotOptions()
        state, action = self.options.state, self.options.action
        return known.column(state, str(usual.state)), known.column(action, str(usual.action))

    def _controls(self, columns: Columns, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        states, actions = without_controls()
        state, action = self._control_names()
        if state is not None:
            states = _finite(columns, state, path)
        if action is not None:
            actions = _finite(columns, action, path)
        return states, actions

    def _segments(self, columns: Columns, path: Path) -> tuple[Segment, ...]:
        """One for each run of rows with the same instruction."""
        try:
            return tuple(
                Segment(first, last, text) for first, last, text in self._instructions(columns, path)
            )
        except InputError as error:
            raise InputError(
                f"{path}: the episode {self.entry.index} has no usable instruction. {error} Remedy: correct "
                f"{task_file(self.description).name}, or leave the episode out."
            ) from error

    def _instructions(self, columns: Columns, path: Path) -> Iterator[tuple[int, int, str]]:
        length, told = self.entry.length, self.entry.tasks
        if _TASK not in columns:
            if len(told) > 1:
                raise InputError(
                    f"{path} has no column {_TASK}, and the episode has {len(told)} instructions."
                )
            yield from ((0, length, text) for text in told)
            return
        tasks = read_tasks(self.description)
        numbers = columns[_TASK][:, 0]
        begins = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1)).tolist()
        for first, last in zip(begins, [*begins[1:], length], strict=True):
            number = int(numbers[first])
            if number not in tasks:
                raise InputError(f"There is no task {number} in the list, which has {len(tasks)}.")
            yield first, last, tasks[number]

    def _view(self, camera: Camera, path: Path) -> EpisodeView:
        length, folder = self.entry.length, self.description.folder
        if camera.is_film:
            pictures = film_pictures(folder, self.entry.films[camera.key], length, self.description.rate)
        else:
            columns = ForeignColumns(path, (_EPISODE, camera.key))
            if camera.key not in columns.names:
                raise InputError(f"{path} lacks the pictures {camera.key}. {_REMEDY}")
            pictures = _table_pictures(columns, camera.key, self.entry.index)
        return EpisodeView(camera.number, length, pictures)


def list_lerobot_episodes(
    folder: Path, options: LeRobotOptions | None = None, name: str | None = None
) -> list[LeRobotEpisode]:
    """All episodes of a LeRobotDataset of version 2.1 or 3.0, by their numbers.

    Args:
        folder: Holds ``meta``, ``data`` and ``videos``.
        options: What is read.
        name: The data set's name, by which results are reported; None: that of the folder.

    Raises:
        InputError: It is no such data set, of another version, or its lists are damaged.
        ConfigurationError: A camera or column is named that it does not have.
    """
    options = options or LeRobotOptions()
    description, robot = read_description(folder), name or folder.resolve().name
    cameras = description.chosen_cameras(options)
    for column, usual in ((options.state, "observation.state"), (options.action, "action")):
        description.column(column, usual)
    stamps = _Stamps(folder)
    return [
        LeRobotEpisode(
            trajectory=f"{robot}/episode_{entry.index:06d}",
            description=description,
            entry=entry,
            options=options,
            robot=robot,
            split=description.split_of(entry.index),
            stamp=stamps.of(entry, cameras, task_file(description)),
        )
        for entry in read_episode_entries(description)
    ]


class _Stamps:
    """Sizes and times of files, each looked at once: many episodes share one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[int, int]] = {}

    def of(self, entry: EpisodeEntry, cameras: tuple[Camera, ...], tasks: Path) -> str:
        parts = [entry.films[camera.key].path for camera in cameras if camera.key in entry.films]
        paths = [tasks, *(self._folder / name for name in (entry.table, entry.later_table, *parts) if name)]
        return digest_of([self._look(path) for path in paths])

    def _look(self, path: Path) -> tuple[int, int]:
        if path not in self._known:
            self._known[path] = size_and_time(path)
        return self._known[path]


def read_episode_rows(path: Path, episode: int, names: list[str]) -> Columns:
    """The rows of one episode in a file that may hold many.

    Args:
        path: A Parquet file.
        episode: Number of the episode.
        names: Columns of numbers; of those that are absent, only the frame's number has to be there.

    Returns:
        (T, N) per column that is there; T = 0 if the file has no such episode.

    Raises:
        InputError: The file is missing or damaged, or a column holds no numbers.
    """
    table = ForeignColumns(path, (_EPISODE, *names))
    if missing := [name for name in (_EPISODE, _FRAME) if name not in table.names]:
        raise InputError(f"{path} lacks the column {missing[0]}. Remedy: a file in LeRobot's layout.")
    what = f"{path}: the episode {episode}"
    parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in table.names if name != _EPISODE}
    for batch in _rows_of(table, episode, _ROWS_AT_ONCE, path):
        for name, columns in parts.items():
            columns.append(number_column(batch[name], name, what))
    if uneven := [name for name, columns in parts.items() if len({part.shape[1] for part in columns}) > 1]:
        raise InputError(f"{what}: {uneven[0]} has more numbers in some rows than in others.")
    return {name: np.concatenate(columns) if columns else np.empty((0, 0)) for name, columns in parts.items()}


def _rows_of(table: ForeignColumns, episode: int, rows: int, path: Path) -> Iterator[pa.RecordBatch]:
    for batch in table.batches(rows, (_EPISODE, episode)):
        numbers = batch[_EPISODE]
        if not pa.types.is_integer(numbers.type):
            raise InputError(f"{path}: {_EPISODE} is {numbers.type}, where whole numbers are expected.")
        own = batch.filter(pc.equal(numbers, episode))
        if len(own):
            yield own


def _finite(columns: Columns, name: str, path: Path) -> NDArray[np.float32]:
    if name not in columns:
        raise InputError(f"{path} lacks the column {name}. {_REMEDY}")
    with np.errstate(over="ignore"):
        rows = columns[name].astype(np.float32)
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise InputError(f"{path}: {name} of frame {int(bad.argmax())} is not finite. {_REMEDY}")
    return rows


def _table_pictures(table: ForeignColumns, key: str, episode: int) -> Iterator[Pixels]:
    """Pictures that lie as PNG or JPEG files in the column ``{"bytes", "path"}`` of a table."""
    number = 0
    try:
        for batch in _rows_of(table, episode, _PICTURES_AT_ONCE, table.path):
            for value in batch[key].to_pylist():
                yield _picture(value)
                number += 1
    except (InputError, ForeignImageError) as error:
        raise DamagedViewError(f"{table.path}: {key} of frame {number} cannot be used ({error})") from error


def _picture(value: object) -> Pixels:
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise ForeignImageError("its bytes are not in the table")
    with opened_image(data) as image:
        return np.asarray(image.convert("RGB"))
