import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.lerobot import TOP, Recording, Version, change_table, write_lerobot
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.lerobot.description import read_description
from vidrep_pipelines.data.sources.lerobot.entries import (
    EpisodeEntry,
    FilmPart,
    read_episode_entries,
    read_tasks,
)
from vidrep_pipelines.data.sources.lerobot.episodes import list_lerobot_episodes

BOTH = pytest.mark.parametrize("version", ["v2.1", "v3.0"])
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


def entries_of(folder: Path) -> list[EpisodeEntry]:
    return read_episode_entries(read_description(folder))


def change_line(path: Path, number: int, **values: Any) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[number] |= values
    path.write_text("\n".join(map(json.dumps, rows)))


def test_separate_files(tmp_path: Path) -> None:
    entries = entries_of(write_lerobot(tmp_path, "v2.1"))
    assert entries[2] == EpisodeEntry(
        index=2,
        length=4,
        table="data/chunk-001/episode_000002.parquet",
        films={TOP: FilmPart(f"videos/chunk-001/{TOP}/episode_000002.mp4")},
        tasks=("lift the cup",),
    )


def test_joint_files(tmp_path: Path) -> None:
    entries = entries_of(write_lerobot(tmp_path, "v3.0", Recording(tasks=((0,),) * 5, per_file=(1, 4))))
    assert [(entry.table, entry.later_table) for entry in entries[1:3]] == [
        ("data/chunk-000/file-001.parquet", "data/chunk-001/file-000.parquet"),
        ("data/chunk-001/file-000.parquet", "data/chunk-001/file-001.parquet"),
    ]
    path, start, end = entries[3].films[TOP]
    assert path == f"videos/{TOP}/chunk-000/file-000.mp4"
    assert (start, end) == (pytest.approx(0.3), pytest.approx(0.4))
    assert entries[4].films[TOP] == FilmPart(f"videos/{TOP}/chunk-000/file-001.mp4", 0.0, 0.1)


@BOTH
def test_instructions_by_number(version: Version, tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, version)
    texts = {0: "lift the cup", 1: "push the block", 2: "go home"}
    assert read_tasks(read_description(folder)) == texts
    path = folder / "meta" / "tasks.parquet"
    if version == "v3.0":  # the newer name of the table's index
        pq.write_table(pa.table({"task": list(texts.values()), "task_index": list(texts)}), path)
        assert read_tasks(read_description(folder)) == texts
        pq.write_table(pa.table({"task_index": [1]}), path)
        with pytest.raises(InputError, match=r"tasks\.parquet lacks the columns task of tasks"):
            read_tasks(read_description(folder))
    (folder / "meta" / f"tasks.{'jsonl' if version == 'v2.1' else 'parquet'}").unlink()
    assert read_tasks(read_description(folder)) == {}


def test_a_bad_line_fails_alone_if_it_can(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v2.1")
    change_line(folder / "meta/episodes.jsonl", 1, length="five")
    good, bad, _ = list_lerobot_episodes(folder)
    with pytest.raises(InputError, match=r"The episode 1: .*length is 'five'"), bad.open():
        pass
    with good.open() as episode:
        assert len(episode.states) == 6
    change_line(folder / "meta/episodes.jsonl", 1, episode_index=-1)
    with pytest.raises(InputError, match="episode_index is -1"):
        list_lerobot_episodes(folder)
    (folder / "meta/episodes.jsonl").write_text("{}\n[1")
    with pytest.raises(InputError, match=r"episode_index is None"):
        list_lerobot_episodes(folder)
    (folder / "meta/episodes.jsonl").write_text("[1]")
    with pytest.raises(InputError, match="line 1: it is no JSON object"):
        list_lerobot_episodes(folder)
    (folder / "meta/episodes.jsonl").write_text("[1")
    with pytest.raises(InputError, match="line 1: it is no JSON "):
        list_lerobot_episodes(folder)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (f"videos/{TOP}/from_timestamp", [0.0, float("nan"), 1.1], f"from_timestamp of {TOP} is nan"),
        (f"videos/{TOP}/to_timestamp", [0.6, None, 1.5], f"to_timestamp of {TOP} is None"),
        ("data/chunk_index", [0, -1, 0], "data/chunk_index is -1"),
    ],
)
def test_a_bad_row_fails_alone(name: str, values: Any, message: str, tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v3.0")
    change_table(folder / EPISODES, **{name: values})
    good, bad, _ = list_lerobot_episodes(folder)
    with pytest.raises(InputError, match=message), bad.open():
        pass
    with good.open() as episode:
        assert len(episode.states) == 6


@BOTH
def test_lists_that_are_no_lists(version: Version, tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, version)
    if version == "v2.1":
        change_line(folder / "meta/episodes.jsonl", 1, episode_index=0)
    else:
        change_table(folder / EPISODES, episode_index=[0, 0, 2])
    with pytest.raises(InputError, match="the episode 0 is listed twice"):
        entries_of(folder)
    path = folder / (EPISODES if version == "v3.0" else "meta/episodes.jsonl")
    if version == "v3.0":
        change_table(path, **{"data/file_index": None})
        with pytest.raises(InputError, match=r"lacks the columns data/file_index of episodes"):
            entries_of(folder)
        path.unlink()
    else:
        path.write_text("")
    with pytest.raises(InputError, match="lists no episodes"):
        entries_of(folder)
