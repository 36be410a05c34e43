"""The lists of a LeRobotDataset: its episodes, with the files that they are in, and its instructions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import seconds, whole_number
from vidrep_pipelines.common.foreign_text import read_foreign_lines
from vidrep_pipelines.data.files.foreign_listing import list_files, list_folders
from vidrep_pipelines.data.sources.lerobot.description import FOLDER_REMEDY, LeRobotDescription
from vidrep_pipelines.data.sources.lerobot.rows import ForeignColumns, column_names, read_rows

_MOST_EPISODES = 10_000_000
_LARGEST = 10**9


class FilmPart(NamedTuple):
    """Where the pictures of an episode are.

    Attributes:
        path: The video, relative to the data set's folder.
        start: Time of the first picture in it, seconds; None: the video is the episode's own.
        end: Time at which the next episode begins; None as before.
    """

    path: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class EpisodeEntry:
    """What the list of episodes says about one.

    Attributes:
        index: Its number.
        length: Frames.
        table: File of its rows, relative to the data set's folder.
        later_table: File in which they may be instead; empty if there is none. An early converter noted the
            file before for the first episode of each file.
        films: Where the pictures of each camera are.
        tasks: Its instructions, in the order in which they first occur.
        problem: Why it cannot be opened, if that is known already; else empty.
    """

    index: int
    length: int = 0
    table: str = ""
    later_table: str = ""
    films: Mapping[str, FilmPart] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    problem: str = ""


def read_episode_entries(description: LeRobotDescription) -> list[EpisodeEntry]:
    """The list of episodes, by their numbers.

    Raises:
        InputError: It is missing or damaged, or two episodes have one number.
    """
    read = _separate_entries if description.version == "v2.1" else _joint_entries
    entries = sorted(read(description), key=lambda entry: entry.index)
    if not entries:
        raise InputError(f"{description.folder} lists no episodes below meta. {FOLDER_REMEDY}")
    for entry, following in pairwise(entries):
        if entry.index == following.index:
            raise InputError(f"{description.folder}: the episode {entry.index} is listed twice below meta.")
    return entries


def read_tasks(description: LeRobotDescription) -> dict[int, str]:
    """The instructions by their numbers; none if the data set has no list of them.

    Raises:
        InputError: The list is damaged.
    """
    path = task_file(description)
    if not path.is_file():
        return {}
    if description.version == "v2.1":
        rows = _json_lines(path)
        return {_index(row, "task_index", path): str(row.get("task", "")) for row in rows}
    names = column_names(path)
    # The texts are the table's index, which is written under either name.
    text = next((name for name in ("task", "__index_level_0__") if name in names), "task")
    rows = read_rows(path, ("task_index", text), "tasks")
    return {_index(row, "task_index", path): str(row[text] or "") for row in rows}


def task_file(description: LeRobotDescription) -> Path:
    """Where the instructions are."""
    name = "tasks.jsonl" if description.version == "v2.1" else "tasks.parquet"
    return description.folder / "meta" / name


def _separate_entries(description: LeRobotDescription) -> Iterator[EpisodeEntry]:
    """Version 2.1: every episode has files of its own."""
    path = description.folder / "meta" / "episodes.jsonl"
    films = [camera.key for camera in description.cameras if camera.is_film]
    for row in _json_lines(path):
        index = _index(row, "episode_index", path, _MOST_EPISODES)
        chunk, name = f"chunk-{index // description.files_per_chunk:03d}", f"episode_{index:06d}"
        try:
            length = _index(row, "length", path)
        except InputError as error:  # it fails alone, when it is opened
            yield EpisodeEntry(index, problem=f"The episode {index}: {error}.")
            continue
        yield EpisodeEntry(
            index=index,
            length=length,
            table=f"data/{chunk}/{name}.parquet",
            films={key: FilmPart(f"videos/{chunk}/{key}/{name}.mp4") for key in films},
            tasks=_texts(row.get("tasks")),
        )


def _joint_entries(description: LeRobotDescription) -> Iterator[EpisodeEntry]:
    """Version 3.0: episodes share files, and every camera has files of its own."""
    films = [camera.key for camera in description.cameras if camera.is_film]
    needed = ["episode_index", "length", "data/chunk_index", "data/file_index"]
    parts = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
    needed += [f"videos/{key}/{part}" for key in films for part in parts]
    folders = list_folders(description.folder / "meta" / "episodes")
    for path in (path for folder in folders for path in list_files(folder, (".parquet",))):
        extra = ForeignColumns(path, ("tasks",)).names
        for row in read_rows(path, (*needed, *extra), "episodes"):
            yield _joint_entry(row, path, films, description.files_per_chunk)


def _joint_entry(row: Mapping[str, Any], path: Path, films: list[str], per_chunk: int) -> EpisodeEntry:
    index = _index(row, "episode_index", path, _MOST_EPISODES)
    try:
        chunk, file = (_index(row, f"data/{name}_index", path) for name in ("chunk", "file"))
        later = (chunk, file + 1) if file + 1 < per_chunk else (chunk + 1, 0)
        return EpisodeEntry(
            index=index,
            length=_index(row, "length", path),
            table=f"data/{_place(chunk, file)}.parquet",
            later_table=f"data/{_place(*later)}.parquet",
            films={key: _film_part(row, key, path) for key in films},
            tasks=_texts(row.get("tasks")),
        )
    except InputError as error:  # it fails alone, when it is opened
        return EpisodeEntry(index, problem=f"The episode {index}: {error}.")


def _film_part(row: Mapping[str, Any], key: str, path: Path) -> FilmPart:
    chunk, file = (_index(row, f"videos/{key}/{name}_index", path) for name in ("chunk", "file"))
    start, end = (
        seconds(row[f"videos/{key}/{name}_timestamp"], f"{path}: {name}_timestamp of {key}")
        for name in ("from", "to")
    )
    return FilmPart(f"videos/{key}/{_place(chunk, file)}.mp4", start, end)


def _place(chunk: int, file: int) -> str:
    return f"chunk-{chunk:03d}/file-{file:03d}"


def _texts(listed: Any) -> tuple[str, ...]:
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _index(row: Mapping[str, Any], name: str, path: Path, most: int = _LARGEST) -> int:
    return whole_number(row.get(name), f"{path}: {name}", 0, most)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in read_foreign_lines(path, FOLDER_REMEDY):
        try:
            row = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}, line {line.number}: it is no JSON ({error}). {FOLDER_REMEDY}"
            ) from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {line.number}: it is no JSON object. {FOLDER_REMEDY}")
        yield row
