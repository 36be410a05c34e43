"""CALVIN's time steps and instructions, lists and tables of LeRobotDatasets."""

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged
from tests.fuzz.limits import ROUND, answer_within_limits
from tests.helpers.calvin import time_step
from tests.helpers.lerobot import TOP
from vidrep_pipelines.data.sources.calvin.episodes import CalvinEpisode
from vidrep_pipelines.data.sources.calvin.listing import list_calvin_episodes
from vidrep_pipelines.data.sources.lerobot.description import read_description
from vidrep_pipelines.data.sources.lerobot.entries import read_episode_entries
from vidrep_pipelines.data.sources.lerobot.episodes import list_lerobot_episodes, read_episode_rows

pytestmark = pytest.mark.fuzz

INFO = {
    "codebase_version": "v3.0",
    "fps": 10,
    "chunks_size": 1000,
    "splits": {"train": "0:1"},
    "features": {TOP: {"dtype": "video", "shape": [4, 4, 3]}, "action": {"dtype": "float32", "shape": [2]}},
}
LINES = b'{"episode_index": 0, "tasks": ["lift"], "length": 2}\n{"episode_index": 1, "length": 3}\n'


def array(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **time_step(0))  # type: ignore[arg-type]
    return buffer.getvalue()


def table(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


INSTRUCTIONS = array({"language": {"ann": ["lift"], "task": ["lift"]}, "info": {"indx": [(0, 0)]}})
FRAMES = table([{"episode_index": 0, "frame_index": row, "action": [0.5, 1.0]} for row in range(5)])
ENTRY: dict[str, Any] = {"episode_index": 0, "length": 5, "tasks": ["lift"]}
ENTRY |= {f"{kind}/{name}_index": 0 for kind in ("data", f"videos/{TOP}") for name in ("chunk", "file")}
ENTRIES = table([ENTRY | {f"videos/{TOP}/{name}_timestamp": 0.5 for name in ("from", "to")}])


def opened(source: Any) -> None:
    """Opens an episode and takes its pictures."""
    with source.open() as episode:
        for view in episode.views:
            list(view.pictures)


def lerobot(folder: Path, info: bytes, entries: tuple[str, bytes]) -> Path:
    (folder / "meta" / "info.json").parent.mkdir(exist_ok=True)
    (folder / "meta" / "info.json").write_bytes(info)
    path = folder / "meta" / entries[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(entries[1])
    return folder


@ROUND
@given(damaged(archive()))
def test_time_steps(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "episode_0000000.npz").write_bytes(content)
        answer_within_limits(lambda: opened(CalvinEpisode("a", Path(folder), 0, 0)))


@ROUND
@given(damaged(INSTRUCTIONS), damaged(array(np.array([[0, 0]]))))
def test_instructions(content: bytes, recordings: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        training = Path(folder) / "training"
        (training / "lang_annotations").mkdir(parents=True)
        (training / "episode_0000000.npz").write_bytes(archive())
        (training / "lang_annotations" / "auto_lang_ann.npy").write_bytes(content)
        (training / "ep_start_end_ids.npy").write_bytes(recordings)
        for source in answer_within_limits(lambda: list_calvin_episodes(Path(folder))) or []:
            answer_within_limits(lambda source=source: opened(source))  # type: ignore[misc]


@ROUND
@given(damaged(json.dumps(INFO).encode()), damaged(LINES))
def test_lists_of_version_2(info: bytes, lines: bytes) -> None:
    old = json.dumps(INFO | {"codebase_version": "v2.1"}).encode()
    with tempfile.TemporaryDirectory() as folder:
        for content in (info, old):
            root = lerobot(Path(folder), content, ("episodes.jsonl", lines))
            answer_within_limits(lambda root=root: list_lerobot_episodes(root))  # type: ignore[misc]


@ROUND
@given(damaged(ENTRIES))
def test_lists_of_version_3(entries: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = "episodes/chunk-000/file-000.parquet"
        root = lerobot(Path(folder), json.dumps(INFO).encode(), (place, entries))
        answer_within_limits(lambda: read_episode_entries(read_description(root)))


@ROUND
@given(st.one_of(damaged(FRAMES), damaged(FRAMES[:200])))
def test_rows(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        path.write_bytes(content)
        answer_within_limits(lambda: read_episode_rows(path, 0, ["frame_index", "action"]))
