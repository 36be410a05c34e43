import dataclasses
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.videos import box, cut_by_edit_list, truncate, write_audio_only, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import (
    index_from_bytes,
    index_to_bytes,
    load_packet_index,
    save_packet_index,
)


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
