"""Writes LeRobotDatasets of version 3.0: many episodes in a table, and many in a video of each camera.

Facts: github.com/huggingface/lerobot, ``lerobot/datasets``. ``meta/info.json`` says what there is; of every
episode ``meta/episodes`` says in which rows and in which stretch of which videos it is, with statistics.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.lerobot.lerobot_statistics import (
    FeatureStatistics,
    column_statistics,
    joint_statistics,
    picture_statistics,
)
from vidrep_pipelines.data.video.profiles import EncodingProfile
from vidrep_pipelines.data.video.writer import VideoWriter

_FILES_PER_CHUNK = 1000
_TABLE_MEBIBYTES, _VIDEO_MEBIBYTES = 100, 200
_PROFILE = EncodingProfile(2, True, 0, "medium", 18.0)
"""A keyframe for every second picture, as LeRobot itself encodes."""

_NO_NAMES: Mapping[str, Sequence[str]] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class LeRobotContent:
    """One episode of T frames.

    Attributes:
        task: The instruction.
        pictures: By feature, such as ``observation.images.top``, (T, H, W, 3) uint8 with even sides.
        columns: By feature, such as ``observation.state`` and ``action``, (T, N) numbers or truth values.
    """

    task: str
    pictures: Mapping[str, Pixels]
    columns: Mapping[str, NDArray[Any]]

    def checked_length(self) -> int:
        """Frames.

        Raises:
            InputError: There is none, a feature has more than another, or pictures have odd sides.
        """
        lengths = {name: len(values) for name, values in {**self.pictures, **self.columns}.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise InputError(f"LeRobot's episodes have as many frames of each feature; here are {lengths}.")
        odd = [name for name, own in self.pictures.items() if own.shape[1] % 2 or own.shape[2] % 2]
        if odd:
            raise InputError(
                f"{odd[0]}: pictures of {self.pictures[odd[0]].shape[1:3]} pixels cannot be encoded. Remedy: "
                "use pictures with even sides."
            )
        return next(iter(lengths.values()))


def write_lerobot_data_set(
    folder: Path,
    episodes: Iterable[LeRobotContent],
    rate: int,
    robot: str,
    names: Mapping[str, Sequence[str]] = _NO_NAMES,
) -> dict[str, int]:
    """Writes a data set as a whole or not at all; one that is there is replaced.

    Args:
        folder: Receives ``meta``, ``data`` and ``videos``.
        episodes: At least one, all with the same features.
        rate: Frames per second.
        robot: What LeRobot calls ``robot_type``.
        names: By feature the names of its numbers, where there are any.

    Returns:
        Numbers of episodes, frames and tasks.

    Raises:
        InputError: Episodes are empty or unlike one another, or the folder holds something else.
    """
    if folder.exists() and not (folder / "meta" / "info.json").is_file() and any(folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and holds no LeRobotDataset. Remedy: name a new folder, which is "
            "replaced by every later export."
        )
    with atomic_directory(folder) as temporary:
        with _OpenDataSet(temporary, rate) as data_set:
            for episode in episodes:
                data_set.add(episode)
        if not data_set.rows:
            raise InputError(f"There is no episode to write to {folder}.")
        data_set.write_lists(robot, names)
        frames = sum(int(row["length"]) for row in data_set.rows)
        return {"episodes": len(data_set.rows), "frames": frames, "tasks": len(data_set.tasks)}


class _OpenDataSet(ExitStack):
    """A data set that is being written."""

    def __init__(self, folder: Path, rate: int) -> None:
        super().__init__()
        self._folder, self._rate = folder, rate
        self._table = self.enter_context(_RollingTable(folder / "data"))
        self._films: dict[str, _RollingFilm] = {}
        self._statistics: list[dict[str, FeatureStatistics]] = []
        self._features: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, int] = {}
        self.rows: list[dict[str, Any]] = []

    def add(self, episode: LeRobotContent) -> None:
        length, first = episode.checked_length(), sum(int(row["length"]) for row in self.rows)
        self._take_features(episode)
        task = self.tasks.setdefault(episode.task, len(self.tasks))
        columns = {name: _storable(values) for name, values in episode.columns.items()}
        columns |= _usual_columns(length, len(self.rows), first, task, self._rate)
        chunk, file = self._table.write(columns)
        row = {"episode_index": len(self.rows), "tasks": [episode.task], "length": length}
        row |= {"data/chunk_index": chunk, "data/file_index": file}
        row |= {"dataset_from_index": first, "dataset_to_index": first + length}
        for key, pictures in episode.pictures.items():
            row |= self._films[key].write(pictures)
        statistics = {name: picture_statistics(pictures) for name, pictures in episode.pictures.items()}
        statistics |= {name: column_statistics(values) for name, values in columns.items()}
        self._statistics.append(statistics)
        self.rows.append(row)

    def _take_features(self, episode: LeRobotContent) -> None:
        """Of the first episode; all others must have the same."""
        features = {key: _video_feature(own, self._rate) for key, own in episode.pictures.items()}
        features |= {name: _number_feature(_storable(values)) for name, values in episode.columns.items()}
        if not self.rows:
            self._features = features
            for key in episode.pictures:
                film = _RollingFilm(self._folder / "videos" / key, key, self._rate)
                self._films[key] = self.enter_context(film)
        elif features != self._features:
            raise InputError(
                f"The episode {len(self.rows)} has the features {_said(features)}, and the first "
                f"{_said(self._features)}."
            )

    def write_lists(self, robot: str, names: Mapping[str, Sequence[str]]) -> None:
        """Everything below ``meta``."""
        features = {name: dict(feature) for name, feature in self._features.items()}
        for name, own in names.items():
            features[name]["names"] = list(own)
        features |= {name: _number_feature(values) for name, values in _usual_columns(1, 0, 0, 0, 1).items()}
        meta = self._folder / "meta"
        listed = meta / "episodes" / "chunk-000" / "file-000.parquet"
        listed.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._listed_rows()), listed)
        numbers = pd.DataFrame(
            {"task_index": self.tasks.values()}, index=pd.Index(list(self.tasks), name="task")
        )
        numbers.to_parquet(meta / "tasks.parquet")
        joint = {name: joint_statistics([own[name] for own in self._statistics]) for name in features}
        plain = {name: {key: values.tolist() for key, values in own.items()} for name, own in joint.items()}
        (meta / "stats.json").write_text(json.dumps(plain, indent=4))
        (meta / "info.json").write_text(json.dumps(self._information(robot, features), indent=4))

    def _listed_rows(self) -> list[dict[str, Any]]:
        return [
            row
            | {
                f"stats/{name}/{key}": values.tolist()
                for name, own in statistics.items()
                for key, values in own.items()
            }
            | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
            for row, statistics in zip(self.rows, self._statistics, strict=True)
        ]

    def _information(self, robot: str, features: Mapping[str, Any]) -> dict[str, Any]:
        place = "chunk-{chunk_index:03d}/file-{file_index:03d}"
        return {
            "codebase_version": "v3.0",
            "robot_type": robot,
            "total_episodes": len(self.rows),
            "total_frames": sum(int(row["length"]) for row in self.rows),
            "total_tasks": len(self.tasks),
            "chunks_size": _FILES_PER_CHUNK,
            "data_files_size_in_mb": _TABLE_MEBIBYTES,
            "video_files_size_in_mb": _VIDEO_MEBIBYTES,
            "fps": self._rate,
            "splits": {"train": f"0:{len(self.rows)}"},
            "data_path": f"data/{place}.parquet",
            "video_path": f"videos/{{video_key}}/{place}.mp4" if self._films else None,
            "features": features,
        }


def _said(features: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{name} {feature['dtype']} {feature['shape']}" for name, feature in features.items())


def _video_feature(pictures: Pixels, rate: int) -> dict[str, Any]:
    height, width, channels = pictures.shape[1:]
    facts = {"height": height, "width": width, "codec": "h264", "pix_fmt": "yuv420p", "is_depth_map": False}
    facts |= {"fps": rate, "channels": channels}
    return {
        "dtype": "video",
        "shape": [height, width, channels],
        "names": ["height", "width", "channels"],
        "info": {**{f"video.{name}": value for name, value in facts.items()}, "has_audio": False},
    }


def _number_feature(values: NDArray[Any]) -> dict[str, Any]:
    return {"dtype": values.dtype.name, "shape": [values.shape[1]], "names": None}


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """Real numbers in single precision; the rest as it is."""
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _usual_columns(length: int, episode: int, first: int, task: int, rate: int) -> dict[str, NDArray[Any]]:
    """What every table of LeRobot has."""
    frames = np.arange(length)
    return {
        "timestamp": (frames / rate).astype(np.float32)[:, None],
        "frame_index": frames[:, None],
        "episode_index": np.full((length, 1), episode),
        "index": first + frames[:, None],
        "task_index": np.full((length, 1), task),
    }


def _place_of(number: int) -> tuple[int, int, str]:
    chunk, file = divmod(number, _FILES_PER_CHUNK)
    return chunk, file, f"chunk-{chunk:03d}/file-{file:03d}"


def _bytes_so_far(path: Path) -> int:
    """0 as long as an encoder keeps all that it was given."""
    return path.stat().st_size if path.exists() else 0


class _RollingTable:
    """Tables of many episodes each: the next begins when one is large."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "_RollingTable":
        return self

    def write(self, columns: Mapping[str, NDArray[Any]]) -> tuple[int, int]:
        """Chunk and file that the episode is in; a row group of its own."""
        chunk, file, place = _place_of(self._number)
        path = self._folder / f"{place}.parquet"
        table = pa.table({name: _arrow(values) for name, values in columns.items()})
        if self._writer is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(path, table.schema)
        self._writer.write_table(table)
        if _bytes_so_far(path) >= _TABLE_MEBIBYTES << 20:
            self._end()
        return chunk, file

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer, self._number = None, self._number + 1

    def __exit__(self, *_: object) -> None:
        self._end()


def _arrow(values: NDArray[Any]) -> pa.Array:
    """One number a row as such, several as a list of fixed length."""
    flat = pa.array(values.ravel())
    return flat if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


class _RollingFilm:
    """Videos of one camera with many episodes each: the next begins when one is large."""

    def __init__(self, folder: Path, key: str, rate: int) -> None:
        self._folder, self._key, self._rate, self._number = folder, key, rate, 0
        self._opened = ExitStack()
        self._writer: VideoWriter | None = None

    def __enter__(self) -> "_RollingFilm":
        return self

    def write(self, pictures: Pixels) -> dict[str, float]:
        """Where the episode is: columns of its row in the list of episodes."""
        chunk, file, place = _place_of(self._number)
        path = self._folder / f"{place}.mp4"
        if self._writer is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            height, width = pictures.shape[1:3]
            writer = VideoWriter(path, width, height, Fraction(self._rate), _PROFILE)
            self._writer = self._opened.enter_context(writer)
        start = self._writer.count
        for picture in pictures:
            self._writer.write(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        where: dict[str, float] = {"chunk_index": chunk, "file_index": file}
        where |= {"from_timestamp": start / self._rate, "to_timestamp": self._writer.count / self._rate}
        if _bytes_so_far(path) >= _VIDEO_MEBIBYTES << 20:
            self._end()
        return {f"videos/{self._key}/{name}": value for name, value in where.items()}

    def _end(self) -> None:
        self._opened.close()
        self._writer, self._number = None, self._number + 1

    def __exit__(self, *_: object) -> None:
        self._end()
