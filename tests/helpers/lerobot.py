"""Tiny LeRobotDatasets in the layouts 2.1 and 3.0, with the same content in both."""

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.videos import barcode_frames, write_video

Version = Literal["v2.1", "v3.0"]
TOP, WRIST = "observation.images.top", "observation.images.wrist"
RATE = 10


@dataclass(frozen=True)
class Recording:
    """What is in a data set.

    Attributes:
        tasks: For each episode the number of the instruction at each frame.
        texts: The instructions.
        states: Numbers in a state.
        wrist: How the second camera is stored; none: it is not there.
        codec: Of the videos.
        per_file: Episodes in a table, and in a video, of version 3.0.
    """

    tasks: tuple[tuple[int, ...], ...] = ((0,) * 6, (1, 1, 1, 2, 2), (0,) * 4)
    texts: tuple[str, ...] = ("lift the cup", "push the block", "go home")
    states: int = 3
    wrist: Literal["video", "image"] | None = "image"
    codec: str = "libx264"
    per_file: tuple[int, int] = (2, 3)


def episode_columns(recording: Recording, number: int) -> dict[str, Any]:
    """What the table holds for an episode; all of it follows from its number."""
    tasks, rng = recording.tasks[number], np.random.default_rng(number)
    count, before = len(tasks), sum(map(len, recording.tasks[:number]))
    columns: dict[str, Any] = {
        "observation.state": list(rng.normal(size=(count, recording.states)).astype(np.float32)),
        "action": list(rng.normal(size=(count, 2)).astype(np.float32)),
        "timestamp": (np.arange(count) / RATE).astype(np.float32),
        "frame_index": np.arange(count),
        "episode_index": np.full(count, number),
        "index": before + np.arange(count),
        "task_index": np.array(tasks),
    }
    if recording.wrist == "image":
        columns[WRIST] = [{"bytes": png(frame), "path": None} for frame in wrist_frames(recording, number)]
    return columns


def top_frames(recording: Recording, number: int) -> NDArray[np.uint8]:
    """(T, H, W, 3) that the first camera saw."""
    return barcode_frames(len(recording.tasks[number]), 64, 64, seed=number)


def wrist_frames(recording: Recording, number: int) -> NDArray[np.uint8]:
    """(T, H, W, 3) that the second camera saw."""
    return barcode_frames(len(recording.tasks[number]), 64, 64, seed=100 + number)


def png(frame: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()


def write_lerobot(folder: Path, version: Version, recording: Recording = Recording()) -> Path:
    """Writes a data set; returns its folder."""
    (folder / "meta").mkdir(parents=True)
    features: dict[str, Any] = {
        TOP: {"dtype": "video", "shape": [64, 64, 3], "info": {"video.is_depth_map": False}},
        "observation.state": {"dtype": "float32", "shape": [recording.states]},
        "action": {"dtype": "float32", "shape": [2]},
        "depth": {"dtype": "video", "shape": [64, 64, 1], "info": {"video.is_depth_map": True}},
        **{
            name: {"dtype": "int64", "shape": [1]}
            for name in ("frame_index", "episode_index", "index", "task_index")
        },
    }
    if recording.wrist:
        features[WRIST] = {"dtype": recording.wrist, "shape": [64, 64, 3]}
    info = {
        "codebase_version": version,
        "fps": RATE,
        "chunks_size": 2,
        "splits": {"train": "0:2", "val": "2:3"},
        "features": features,
    }
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    (_write_separate if version == "v2.1" else _write_joint)(folder, recording)
    return folder


def change_info(folder: Path, **values: Any) -> None:
    """Writes other values into ``meta/info.json``."""
    path = folder / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_table(path: Path, **columns: Any) -> None:
    """Writes other columns into a table; None takes one out."""
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.drop_columns(name) if name in table.column_names else table
        table = table if values is None else table.append_column(name, pa.array(values))
    pq.write_table(table, path)


def _write_separate(folder: Path, recording: Recording) -> None:
    rows = [
        {"episode_index": number, "tasks": told, "length": len(tasks)}
        for number, (tasks, told) in enumerate(zip(recording.tasks, _told(recording), strict=True))
    ]
    _write_lines(folder / "meta" / "episodes.jsonl", rows)
    texts = [{"task_index": number, "task": text} for number, text in enumerate(recording.texts)]
    _write_lines(folder / "meta" / "tasks.jsonl", texts)
    for number in range(len(recording.tasks)):
        place = f"chunk-{number // 2:03d}"
        columns = episode_columns(recording, number)
        _write_table(folder / f"data/{place}/episode_{number:06d}.parquet", columns)
        for key in _films(recording):
            video = folder / f"videos/{place}/{key}/episode_{number:06d}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            video.write_bytes(film(recording, key, number))


def _write_joint(folder: Path, recording: Recording) -> None:
    count = len(recording.tasks)
    rows: list[dict[str, Any]] = []
    before = 0
    for number, (tasks, told) in enumerate(zip(recording.tasks, _told(recording), strict=True)):
        chunk, file = divmod(number // recording.per_file[0], 2)
        rows.append(
            {
                "episode_index": number,
                "tasks": told,
                "length": len(tasks),
                "data/chunk_index": chunk,
                "data/file_index": file,
                "dataset_from_index": before,
                "dataset_to_index": before + len(tasks),
                "stats/action/mean": [0.0, 0.0],
            }
        )
        before += len(tasks)
    for first in range(0, count, recording.per_file[0]):
        own = range(first, min(first + recording.per_file[0], count))
        parts = [episode_columns(recording, number) for number in own]
        columns = {name: [value for part in parts for value in part[name]] for name in parts[0]}
        _write_table(folder / f"data/{_place(first // recording.per_file[0])}.parquet", columns)
    for key in _films(recording):
        for first in range(0, count, recording.per_file[1]):
            own = range(first, min(first + recording.per_file[1], count))
            place = first // recording.per_file[1]
            path = folder / f"videos/{key}/{_place(place)}.mp4"
            _join(path, [film(recording, key, number) for number in own])
            start = 0.0
            for number in own:
                end = start + len(recording.tasks[number]) / RATE
                names = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
                values = (*divmod(place, 2), start, end)
                rows[number] |= {
                    f"videos/{key}/{name}": value for name, value in zip(names, values, strict=True)
                }
                start = end
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    numbers = pd.DataFrame({"task_index": range(len(recording.texts))}, index=list(recording.texts))
    numbers.to_parquet(folder / "meta" / "tasks.parquet")


def _told(recording: Recording) -> list[list[str]]:
    return [
        list(dict.fromkeys(recording.texts[task] for task in tasks if task < len(recording.texts)))
        for tasks in recording.tasks
    ]


def _films(recording: Recording) -> list[str]:
    return [TOP, WRIST] if recording.wrist == "video" else [TOP]


def _place(number: int) -> str:
    return f"chunk-{number // 2:03d}/file-{number % 2:03d}"


@cache
def film(recording: Recording, key: str, number: int) -> bytes:
    """The video of an episode, as LeRobot writes it: every second frame is a keyframe."""
    frames = (top_frames if key == TOP else wrist_frames)(recording, number)
    options = {"g": "2", "crf": "30"} | ({"preset": "12"} if recording.codec == "libsvtav1" else {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp4"
        return write_video(path, frames, rate=RATE, codec=recording.codec, options=options).read_bytes()


def _join(path: Path, films: Sequence[bytes]) -> None:
    """Puts videos one after the other without encoding them anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as joined:
        out: Any = None
        offset = Fraction(0)
        for content in films:
            with av.open(io.BytesIO(content)) as single:
                stream = single.streams.video[0]
                out = out or joined.add_stream_from_template(stream, opaque=True)
                length = 0
                for packet in single.demux(stream):
                    if packet.size:
                        shift = round(offset / stream.time_base)
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream, length = out, length + 1
                        joined.mux(packet)
            offset += Fraction(length, RATE)


def _write_table(path: Path, columns: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path)


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
