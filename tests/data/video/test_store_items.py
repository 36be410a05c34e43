import os
import shutil
import subprocess
import tarfile

import numpy as np
import pandas as pd
import pytest

from tests.helpers.videos import flip_bytes, read_barcodes, write_video
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.transforms import FrameTransform
from vidrep_pipelines.data.video.decode import FrameReader, read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import save_packet_index
from vidrep_pipelines.data.video.packet_store import PacketStore
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.store_items import (
    PartPayload,
    part_payloads,
    store_part_item,
    tar_shard_item,
)
from vidrep_pipelines.data.video.tar_shard import member_name
from vidrep_pipelines.data.video.transcode import resize_video

NAME = "00000-of-00001"
CLIPS = ["pouring/a", "pouring/b.v2", "drawing/größe 3%", "drawing/" + "long" * 40]


@pytest.fixture(scope="module")
def resized_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resized")
    for number, clip in enumerate(CLIPS):
        source = write_video(folder / "source.mp4", 60, seed=number)
        (folder / clip).parent.mkdir(exist_ok=True)
        path = folder / f"{clip}.mp4"
        resize_video(source, path, ResizeConfig(short_side=64), folder / f"{clip}.packets")
    return folder


@pytest.fixture
def resized(resized_once, tmp_path):
    return shutil.copytree(resized_once, tmp_path / "resized")  # times of change stay


def build(function, folder, target, clips=CLIPS):
    suffixes = (".tar", ".h5", ".parquet")
    target.mkdir(exist_ok=True)
    facts = function(
        PartPayload(NAME, str(folder), clips), {suffix: target / f"{NAME}{suffix}" for suffix in suffixes}
    )
    return facts, pd.read_parquet(target / f"{NAME}.parquet"), PacketStore(target)


def sequential(path):
    return read_frames(path, range(60), reader="pyav")


def test_the_store_reads_what_lies_beside_the_clips(resized, tmp_path, monkeypatch):
    monkeypatch.setattr(PacketIndex, "build", None)
    monkeypatch.setattr(PacketIndex, "of_clip", None)
    facts, table, store = build(store_part_item, resized, tmp_path / "store")
    assert facts == {"clips": 4, "missing": 0, "packets": 240}
    assert table["id"].tolist() == CLIPS
    assert table["path"].tolist() == [f"{clip}.mp4" for clip in CLIPS]
    assert set(table["frames"]) == {60} and set(table["keyframe_interval"]) == {25}
    assert table["duration_seconds"].tolist() == [2.4] * 4 and set(table["width"]) == {96}
    reader = FrameReader("index")
    for clip in CLIPS:
        path = resized / f"{clip}.mp4"
        frames = reader.read(path, [41, 7, 8], store.find(clip))
        np.testing.assert_array_equal(frames, sequential(path)[[41, 7, 8]])


def test_absent_damaged_and_stale_indices_are_made_again(resized, tmp_path):
    (resized / f"{CLIPS[0]}.packets").unlink()
    (resized / f"{CLIPS[1]}.packets").write_text("garbage")
    other = write_video(tmp_path / "other.mp4", 40)
    save_packet_index(PacketIndex.build(other), resized / f"{CLIPS[2]}.packets")
    _, table, store = build(store_part_item, resized, tmp_path / "store")
    assert set(table["frames"]) == {60}
    assert all(store.find(clip).stamp.matches(resized / f"{clip}.mp4") for clip in CLIPS)


def test_clips_that_cannot_be_read_are_left_out_and_counted(resized, tmp_path, caplog):
    (resized / f"{CLIPS[0]}.mp4").write_text("no video")
    (resized / f"{CLIPS[1]}.mp4").unlink()
    for function in (store_part_item, tar_shard_item):
        facts, table, store = build(function, resized, tmp_path / function.__name__)
        assert facts["missing"] == 2 and table["id"].tolist() == CLIPS[2:]
        assert store.find(CLIPS[0]) is None and store.find(CLIPS[2]) is not None
    assert "a.mp4" in caplog.text


@pytest.mark.parametrize("bytes_lost", [1, 600, 2000, 3000])
def test_a_clip_that_was_cut_off_is_none_of_fewer_frames(resized, tmp_path, bytes_lost):
    path = resized / f"{CLIPS[0]}.mp4"
    path.write_bytes(path.read_bytes()[:-bytes_lost])
    for function in (store_part_item, tar_shard_item):
        facts, table, _ = build(function, resized, tmp_path / function.__name__)
        assert facts["missing"] == 1 and table["id"].tolist() == CLIPS[1:]


def test_a_clip_that_changes_later_is_indexed_when_it_is_read(resized, tmp_path, caplog):
    _, _, store = build(store_part_item, resized, tmp_path / "store")
    path = resized / f"{CLIPS[0]}.mp4"
    write_video(path, np.flip(sequential(path), 0))
    assert read_barcodes(FrameReader().read(path, [0, 59], store.find(CLIPS[0]))) == [59, 0]
    assert "changed since it was indexed" in caplog.text


@pytest.mark.parametrize("reader", ["index", "decord", "pyav", "auto"])
def test_frames_are_read_inside_the_archive(resized, tmp_path, reader):
    _, table, store = build(tar_shard_item, resized, tmp_path / "shards")
    kept = FrameReader(reader)
    for clip, path in zip(table["id"], table["path"], strict=True):
        frames = kept.read(tmp_path / "shards" / path, [41, 7, 8], store.find(clip))
        np.testing.assert_array_equal(frames, sequential(resized / f"{clip}.mp4")[[41, 7, 8]])


def test_a_stored_index_spares_the_search_through_the_archive(resized, tmp_path, monkeypatch):
    _, table, store = build(tar_shard_item, resized, tmp_path / "shards")
    monkeypatch.setattr(tarfile, "open", None)
    for row in table.itertuples():
        assert read_barcodes(read_frames(tmp_path / "shards" / row.path, [9], store.find(row.id))) == [9]


def test_an_archive_is_a_plain_one_with_keys_for_webdataset(resized, tmp_path):
    build(tar_shard_item, resized, tmp_path / "shards")
    names = (
        subprocess.run(["tar", "-tf", tmp_path / "shards" / f"{NAME}.tar"], capture_output=True, check=True)
        .stdout.decode("unicode_escape")
        .encode("latin-1")
        .decode()
        .splitlines()
    )
    assert names == [member_name(clip, ".mp4") for clip in CLIPS]
    assert all(name.rpartition("/")[2].count(".") == 1 for name in names)
    assert len({name.rsplit(".")[0] for name in names}) == len(CLIPS)


def test_archives_of_equal_clips_are_equal(resized, tmp_path):
    for folder in ("one", "two"):
        build(tar_shard_item, resized, tmp_path / folder)
        os.utime(resized / f"{CLIPS[0]}.mp4", ns=(1, 1))
    assert (tmp_path / "one" / f"{NAME}.tar").read_bytes() == (tmp_path / "two" / f"{NAME}.tar").read_bytes()


def test_a_moved_archive_still_fits_its_indices(resized, tmp_path):
    _, table, store = build(tar_shard_item, resized, tmp_path / "shards")
    moved = shutil.copyfile(tmp_path / "shards" / f"{NAME}.tar", tmp_path / "moved.tar")
    os.utime(moved, ns=(1, 1))
    assert all(store.find(clip).stamp.matches(moved) for clip in table["id"])
    flip_bytes_of_tar(moved, table["start"][2])
    assert [store.find(clip).stamp.matches(moved) for clip in table["id"]] == [True, True, False, True]


def flip_bytes_of_tar(path, start):
    data = bytearray(path.read_bytes())
    data[start + 100] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(2, 2))


@pytest.mark.parametrize("function", [store_part_item, tar_shard_item])
def test_a_data_set_gives_the_same_samples_from_files_and_archives(resized, tmp_path, function):
    _, table, store = build(function, resized, tmp_path / "built")
    folder = tmp_path / "built" if function is tar_shard_item else resized
    beside = table.assign(path=[f"{clip}.mp4" for clip in CLIPS])
    transform = FrameTransform(size=32)
    expected = ClipDataset(beside, resized, PairSampling(), transform, index_suffix=".packets")
    found = ClipDataset(table, folder, PairSampling(), transform, packet_store=store)
    for index in range(4):
        one, other = expected[0, index], found[0, index]
        assert (one["frames"] == other["frames"]).all()
        assert one["replaced"] == other["replaced"] == 0


@pytest.mark.parametrize("reader", ["index", "pyav", "auto"])
def test_damage_inside_an_archive_is_found(resized, tmp_path, reader):
    flip_bytes(resized / f"{CLIPS[0]}.mp4", share=0.5, count=400)
    _, table, store = build(tar_shard_item, resized, tmp_path / "shards")
    with pytest.raises(UnreadableVideoError, match=r"\.tar/pouring/a\.mp4"):
        read_frames(tmp_path / "shards" / table["path"][0], range(60), store.find(CLIPS[0]), reader)


def test_every_clip_is_dealt_to_one_part_whose_digest_covers_it(tmp_path):
    digests, checksums = dict.fromkeys(CLIPS, "1"), {CLIPS[0]: ("clip", "index")}
    parts = list(part_payloads(tmp_path, digests, checksums, 1))
    assert sorted(clip for payload, _ in parts for clip in payload.clips) == sorted(CLIPS)
    for payload, digest in parts:
        first = CLIPS[0] in payload.clips
        assert payload.checksums == (checksums if first else {})
        assert digest == digest_of(
            [(clip, "1", "clip") if clip == CLIPS[0] else (clip, "1") for clip in payload.clips]
        )
