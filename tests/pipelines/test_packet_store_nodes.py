from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.videos import write_video
from vidrep_pipelines.data.config import TarShardsConfig
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import save_packet_index
from vidrep_pipelines.data.video.packet_store import PacketStore
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.pipelines.resize import packet_store_nodes
from vidrep_pipelines.pipelines.resize.packet_store_nodes import build_packet_store, pack_tar_shards

SERIAL = FanOutConfig(engine="serial")
CLIPS = [f"pouring/clip_{number}" for number in range(9)]


@pytest.fixture
def resized(tmp_path: Path) -> Parts:
    """Finished clips, and one that failed."""
    folder = tmp_path / "resized"
    for number, clip in enumerate(CLIPS):
        path = write_video(folder / f"{clip}.mp4", 12, seed=number)
        save_packet_index(PacketIndex.build(path), path.with_suffix(".packets"))
    table = pd.DataFrame({"id": [*CLIPS, "broken"], "status": "ok", "digest": "1"})
    table.loc[9, "status"] = "failed"
    return Parts(folder, table, (".mp4", ".packets"))


def test_the_store_has_every_finished_clip(
    resized: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet_store_nodes, "_CLIPS_PER_PART", 3)
    job = build_packet_store(resized, SERIAL)
    assert {clip for item in job.items for clip in item.payload[2]} == set(CLIPS)
    assert 1 < len(job.items) <= 4
    parts = run_job(job, tmp_path / "store")
    assert parts.table["clips"].sum() == 9 and parts.table["missing"].sum() == 0
    store = PacketStore(parts.folder)
    assert all(store.find(clip) is not None for clip in CLIPS)
    assert store.find("broken") is None


def test_only_parts_with_changed_clips_are_made_again(
    resized: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet_store_nodes, "_CLIPS_PER_PART", 3)
    before = {item.id: item.digest for item in build_packet_store(resized, SERIAL).items}
    resized.table.loc[0, "digest"] = "2"
    after = build_packet_store(resized, SERIAL).items
    changed = [item for item in after if before[item.id] != item.digest]
    assert len(changed) == 1 and CLIPS[0] in changed[0].payload[2]


def test_archives_hold_the_clips(resized: Parts, tmp_path: Path) -> None:
    parts = run_job(pack_tar_shards(resized, TarShardsConfig(clips_per_shard=5), SERIAL), tmp_path / "shards")
    table = pd.concat(pd.read_parquet(parts.path(name, ".parquet")) for name in parts.ids)
    assert sorted(table["id"]) == CLIPS
    assert {path.split("/")[0] for path in table["path"]} == {f"{name}.tar" for name in parts.ids}
    store = PacketStore(parts.folder)
    for row in table.itertuples():
        frames = read_frames(parts.folder / str(row.path), [3, 11], store.find(str(row.id)), "index")
        np.testing.assert_array_equal(frames, read_frames(resized.path(str(row.id)), [3, 11]))
