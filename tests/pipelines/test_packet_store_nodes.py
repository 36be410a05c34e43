import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.videos import write_video
from vidrep_pipelines.data.clips.config import TarShardsConfig
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import save_packet_index
from vidrep_pipelines.data.video.packet_store import PacketStore
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import load_parts, run_job
from vidrep_pipelines.pipelines.resize import clips_nodes
from vidrep_pipelines.pipelines.resize.clips_nodes import build_packet_store, pack_tar_shards

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
    monkeypatch.setattr(clips_nodes, "_CLIPS_PER_PART", 3)
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
    monkeypatch.setattr(clips_nodes, "_CLIPS_PER_PART", 3)
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


def write_clip(seed: int, outputs: Mapping[str, Path]) -> dict[str, int]:
    write_video(outputs[CLIP_SUFFIX], 12, seed=seed)
    save_packet_index(PacketIndex.build(outputs[CLIP_SUFFIX]), outputs[INDEX_SUFFIX])
    return {"seed": seed}


@pytest.fixture
def clips(tmp_path: Path) -> Callable[..., Parts]:
    """Makes the clips that are gone, as the resize stage does; its digests do not tell what is in a clip."""

    def make(**others: int) -> Parts:
        names = ["a", "b", "c"]
        items = [Item(name, others.get(name, number), "source") for number, name in enumerate(names)]
        job = Job("resize", write_clip, items, (CLIP_SUFFIX, INDEX_SUFFIX), SERIAL)
        return run_job(job, tmp_path / "clips")

    return make


def _pack(clips: Parts, folder: Path) -> Parts:
    return run_job(pack_tar_shards(clips, TarShardsConfig(clips_per_shard=9), SERIAL), folder)


def _members(packed: Parts) -> list[str]:
    return sorted(pd.read_parquet(packed.path(packed.ids[0], ".parquet"))["id"])


@pytest.mark.parametrize("damage", ["gone", "noise of equal size", "cut"])
def test_a_healed_clip_comes_back_into_the_archives(
    clips: Callable[..., Parts], tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = clips().path("b")
    content = path.read_bytes()
    match damage:
        case "gone":
            path.unlink()
        case "cut":
            path.write_bytes(content[:100])
        case _:
            path.write_bytes(content[:-200] + bytes(200))
    table = load_parts(tmp_path / "clips")
    packed = _pack(table, tmp_path / "shards")
    assert _members(packed) == ["a", "c"]
    assert packed.table["status"].tolist() == ["ok"] and "1 of 3 clips" in packed.table["error"][0]
    assert "1 of 1 items lack something" in caplog.text and str(path) in caplog.text
    path.write_bytes(content)
    packed = _pack(clips(), tmp_path / "shards")
    assert _members(packed) == ["a", "b", "c"] and packed.table["error"].isna().all()
    assert packed.table["missing"].tolist() == [0]


def test_a_clip_that_was_made_again_with_other_bytes_gets_into_store_and_archives(
    clips: Callable[..., Parts], tmp_path: Path
) -> None:
    first = clips()
    packed = _pack(first, tmp_path / "shards")
    stored = run_job(build_packet_store(first, SERIAL), tmp_path / "store")
    path = first.path("b")
    path.unlink()
    second = clips(b=7)
    assert second.digests == first.digests
    again = _pack(second, tmp_path / "shards")
    row = pd.read_parquet(again.path(again.ids[0], ".parquet")).set_index("id").loc["b"]
    content = again.path(again.ids[0]).read_bytes()[row["start"] : row["start"] + row["bytes"]]
    assert content == path.read_bytes()
    assert packed.table["checksums"].tolist() != again.table["checksums"].tolist()
    run_job(build_packet_store(second, SERIAL), tmp_path / "store")
    index = PacketStore(stored.folder).find("b")
    assert index is not None and index.stamp.matches(path)


def test_a_damaged_packet_index_is_not_gathered(clips: Callable[..., Parts], tmp_path: Path) -> None:
    made = clips()
    sidecar = made.path("b", INDEX_SUFFIX)
    healthy = PacketIndex.build(made.path("b"))
    save_packet_index(replace(healthy, offsets=healthy.offsets + 3), sidecar)  # looks right, points elsewhere
    parts = run_job(build_packet_store(made, SERIAL), tmp_path / "store")
    found = PacketStore(parts.folder).find("b")
    assert found is not None and found.offsets.tolist() == healthy.offsets.tolist()


def test_stores_of_earlier_versions_stay(clips: Callable[..., Parts], tmp_path: Path) -> None:
    made = clips()
    without = Parts(made.folder, made.table.assign(checksums=None), made.suffixes)
    absent = Parts(made.folder, made.table.drop(columns="checksums"), made.suffixes)
    digests = [build_packet_store(parts, SERIAL).items[0].digest for parts in (without, absent)]
    shutil.rmtree(tmp_path / "clips")
    assert len(set(digests)) == 1
