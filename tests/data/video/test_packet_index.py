import dataclasses
import json
import os
import shutil
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.videos import box, cut_by_edit_list, flip_bytes, truncate, write_audio_only, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.decode import count_by_decoding, read_frames
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import FileStamp, PacketIndex
from vidrep_pipelines.data.video.packet_index_file import (
    index_from_bytes,
    index_to_bytes,
    load_packet_index,
    save_packet_index,
)
from vidrep_pipelines.data.video.picture_converter import picture_checksum
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video


def assert_equal(left, right):
    for field in dataclasses.fields(PacketIndex):
        one, other = getattr(left, field.name), getattr(right, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)


def test_columns_describe_the_file(tmp_path):
    path = write_video(
        tmp_path / "a.mp4", 30, options={"g": "10", "bf": "2", "x264-params": "b-adapt=0:scenecut=0"}
    )
    index = PacketIndex.build(path)
    assert index.frames == len(index.sizes) == 30
    assert (index.codec, index.width, index.height, index.rotation) == ("h264", 96, 64, 0)
    assert np.flatnonzero(index.keyframes).tolist() == [0, 10, 20]
    assert 5 < index.droppable.sum() < 25
    assert not (index.droppable & index.keyframes).any()
    assert sorted(index.presented) == list(range(30))
    assert (np.diff(index.times[index.presented]) > 0).all()
    assert index.seconds == pytest.approx(np.arange(30) / 25)
    assert index.frames_per_second == 25
    start, end = box(path.read_bytes(), b"mdat")
    assert (index.offsets.min(), (index.offsets + index.sizes).max()) == (start, end)


def test_streams_without_b_frames_have_nothing_to_drop(tmp_path):
    index = PacketIndex.build(write_video(tmp_path / "a.mp4", 30, options={"bf": "0"}))
    assert not index.droppable.any()
    assert index.presented.tolist() == list(range(30))


def test_hidden_frames_are_not_presented(tmp_path):
    path = cut_by_edit_list(write_video(tmp_path / "a.mp4", 60, options={"g": "20"}), 25)
    index = PacketIndex.build(path)
    assert index.frames == 35
    assert index.discarded.sum() == 5
    assert len(index.sizes) == 40


@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize("seconds", [None, np.linspace(0, 2, 30) ** 2])
def test_round_trip_through_a_file(tmp_path, audio, seconds):
    built = PacketIndex.build(write_video(tmp_path / "a.mp4", 30, audio=audio), seconds)
    save_packet_index(built, tmp_path / "folder/a.packets")
    assert_equal(load_packet_index(tmp_path / "folder/a.packets"), built)


def test_an_index_is_small(tmp_path):
    index = PacketIndex.of_clip(write_video(tmp_path / "a.mp4", 250, options={"bf": "0"}), 250)
    assert len(index_to_bytes(index)) < 250 * 9 + 500


@pytest.fixture(scope="module")
def index_bytes(tmp_path_factory):
    return index_to_bytes(PacketIndex.build(write_video(tmp_path_factory.mktemp("index") / "a.mp4", 20)))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_cut_index_file_is_refused(tmp_path, index_bytes, data):
    length = data.draw(st.integers(0, len(index_bytes) - 1))
    (tmp_path / "a.packets").write_bytes(index_bytes[:length])
    with pytest.raises(InputError, match=r"a\.packets is no packet index"):
        load_packet_index(tmp_path / "a.packets")


def test_other_files_are_no_index(tmp_path, index_bytes):
    (tmp_path / "a.packets").write_bytes(index_bytes + b"\0")
    with pytest.raises(InputError, match="length"):
        load_packet_index(tmp_path / "a.packets")
    (tmp_path / "a.packets").write_text("hello")
    with pytest.raises(InputError, match="no packet index"):
        load_packet_index(tmp_path / "a.packets")
    with pytest.raises(InputError, match="cannot be read"):
        load_packet_index(tmp_path / "absent.packets")
    assert index_from_bytes(index_bytes).frames == 20


def test_renaming_and_copying_leave_the_index_fresh(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    stamp = PacketIndex.build(path).stamp
    assert stamp.matches(path)
    path = path.rename(tmp_path / "b.mp4")
    assert stamp.matches(path)
    copy = shutil.copyfile(path, tmp_path / "c.mp4")
    os.utime(copy, ns=(1, 1))
    assert stamp.matches(copy)


def test_another_content_makes_the_index_stale(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    stamp = PacketIndex.build(path).stamp
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    assert not stamp.matches(path)
    truncate(path, 0.9)
    assert not stamp.matches(path)


@pytest.mark.parametrize(
    ("name", "codec", "reason"),
    [
        ("a.mp4", "mpeg4", "codec mpeg4"),
        ("a.ogv", "libvpx", "plain byte ranges"),
    ],
)
def test_what_cannot_be_addressed_by_bytes(tmp_path, name, codec, reason):
    path = write_video(tmp_path / name, 10, codec=codec)
    with pytest.raises(UnindexableVideoError, match=reason):
        PacketIndex.build(path)


def test_bad_files(tmp_path):
    with pytest.raises(UnreadableVideoError, match="no such file"):
        PacketIndex.build(tmp_path / "absent.mp4")
    with pytest.raises(UnreadableVideoError, match="no video stream"):
        PacketIndex.build(write_audio_only(tmp_path / "sound.mp4"))
    with pytest.raises(UnreadableVideoError, match="2 frames were written, 10 are in the file"):
        PacketIndex.build(write_video(tmp_path / "a.mp4", 10), np.array([0.0, 1.0]))


def test_large_times_survive(index_bytes):
    index = index_from_bytes(index_bytes)
    late = dataclasses.replace(index, times=index.times + 2**40)
    assert_equal(index_from_bytes(index_to_bytes(late)), late)


FIRST_VERSION = bytes.fromhex(
    "56504b5449445831f40000007b22636f646563223a2268323634222c22657874726164617461223a2230313634303030"
    "616666222c2273697a65223a5b39362c36345d2c22726f746174696f6e223a39302c2274696d655f62617365223a5b31"
    "2c31323830305d2c226672616d65735f7065725f7365636f6e64223a32352e302c227061636b657473223a332c227469"
    "6d65735f6b696e64223a223c6934222c2266697273745f6f6666736574223a3630302c22736f757263655f7365636f6e"
    "6473223a302c227374616d70223a5b353030302c313730303030303030303030303030303030302c2230306666303066"
    "663030666630306666222c3531325d7de8030000140000001e000000000000000004000000020000802040"
)
FIRST_VERSION_APART = bytes.fromhex(
    "56504b5449445831f50000007b22636f646563223a2268323634222c22657874726164617461223a2230313634303030"
    "616666222c2273697a65223a5b39362c36345d2c22726f746174696f6e223a39302c2274696d655f62617365223a5b31"
    "2c31323830305d2c226672616d65735f7065725f7365636f6e64223a32352e302c227061636b657473223a332c227469"
    "6d65735f6b696e64223a223c6934222c2266697273745f6f6666736574223a6e756c6c2c22736f757263655f7365636f"
    "6e6473223a322c227374616d70223a5b353030302c313730303030303030303030303030303030302c22303066663030"
    "66663030666630306666222c3531325d7d5802000000000000a4060000000000000807000000000000e8030000140000"
    "001e0000000000000000040000000200008020400000000000000000000000000000e03f"
)


def clip_index(offsets, seconds):
    return PacketIndex(
        codec="h264",
        extradata=b"\x01\x64\x00\x0a\xff",
        width=96,
        height=64,
        rotation=90,
        time_base=Fraction(1, 12800),
        frames_per_second=25.0,
        offsets=np.array(offsets),
        sizes=np.array([1000, 20, 30]),
        times=np.array([0, 1024, 512]),
        keyframes=np.array([True, False, False]),
        droppable=np.array([False, False, True]),
        discarded=np.array([False, True, False]),
        source_seconds=seconds,
        stamp=FileStamp(5000, 1700000000000000000, "00ff00ff00ff00ff", 512),
    )


@pytest.mark.parametrize(
    ("data", "index"),
    [
        (FIRST_VERSION, clip_index([600, 1600, 1620], None)),
        (FIRST_VERSION_APART, clip_index([600, 1700, 1800], np.array([0.0, 0.5]))),
    ],
)
def test_indices_of_the_first_version_are_read_and_still_written(data, index):
    assert_equal(index_from_bytes(data), index)
    assert index_to_bytes(index) == data


def test_a_resized_clip_has_an_index_of_the_first_version(tmp_path):
    source, config = write_video(tmp_path / "a.mp4", 20), ResizeConfig(short_side=64)
    facts = resize_video(source, tmp_path / "b.mp4", config, tmp_path / "b.packets")
    assert facts["frames"] == 20
    assert (tmp_path / "b.packets").read_bytes().startswith(b"VPKTIDX1")
    assert_equal(load_packet_index(tmp_path / "b.packets"), PacketIndex.of_clip(tmp_path / "b.mp4", 20))


@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.avi", "a.mp4"])
def test_what_other_videos_need_survives(tmp_path, name):
    built = PacketIndex.build(write_video(tmp_path / name, 12, audio=True))
    assert (built.transport is not None) == name.endswith("ts")
    data = index_to_bytes(built)
    assert data.startswith(b"VPKTIDX2")
    assert_equal(index_from_bytes(data), built)


def test_checksums_are_those_of_the_pictures(tmp_path):
    path = write_video(tmp_path / "a.mkv", 12, options={"bf": "3"})
    index = PacketIndex.build(path)
    with av.open(str(path)) as container:
        expected = [picture_checksum(frame) for frame in container.decode(video=0)]
    assert index.checksums[index.presented].tolist() == expected
    assert len(set(expected)) == 12


def test_damage_ends_the_index(tmp_path):
    path = write_video(tmp_path / "a.mp4", 60, options={"g": "10", "crf": "5", "bf": "0"})
    flip_bytes(path, share=0.5)
    index = index_from_bytes(index_to_bytes(PacketIndex.build(path)))
    assert 10 < index.frames < 40
    assert "damaged" in index.damage or "decoding failed" in index.damage
    assert index.frames == count_by_decoding(path)
    expected = read_frames(path, range(index.frames), reader="pyav")
    np.testing.assert_array_equal(read_frames(path, range(index.frames), index, "index"), expected)
    with pytest.raises(UnreadableVideoError, match=r"a\.mp4: (frame|decoding)"):
        read_frames(path, [index.frames], index, "index")


def test_a_clip_must_hold_what_was_written(tmp_path):
    even = write_video(tmp_path / "even.mp4", 10)
    assert PacketIndex.of_clip(even, 10).checksums is None
    with pytest.raises(UnreadableVideoError, match="11 frames were written, 10 are in the file"):
        PacketIndex.of_clip(even, 11)
    uneven = write_video(tmp_path / "uneven.mp4", 4, times=[0, 0.1, 0.3, 0.4])
    with pytest.raises(UnindexableVideoError, match="uneven"):
        PacketIndex.of_clip(uneven)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"packets": -1}, "packets"),
        ({"packets": 10**12}, "packets"),
        ({"packets": 4}, "cut short"),
        ({"time_base": [1, 0]}, "time_base"),
        ({"first_offset": 10**30}, "first_offset"),
        ({"first_offset": 4500}, "outside of the video"),
        ({"first_offset": 0}, "outside of the video"),
        ({"size": "large"}, "size"),
        ({"stamp": [5000]}, "stamp"),
        ({"extradata": "xyz"}, "non-hexadecimal"),
        ({"times_kind": "O"}, "times_kind"),
        ({"more": 1}, "more"),
    ],
)
def test_headers_that_make_no_sense_are_refused(tmp_path, change, reason):
    length = struct.unpack_from("<I", FIRST_VERSION, 8)[0]
    header = json.dumps(json.loads(FIRST_VERSION[12 : 12 + length]) | change).encode()
    path = tmp_path / "a.packets"
    path.write_bytes(
        FIRST_VERSION[:8] + struct.pack("<I", len(header)) + header + FIRST_VERSION[12 + length :]
    )
    with pytest.raises(InputError, match=rf"a\.packets is no packet index.*{reason}.*run resize again"):
        load_packet_index(path)
