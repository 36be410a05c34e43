import io
import tarfile

import numpy as np
import pytest

from tests.helpers.videos import read_barcodes, write_audio_only, write_video
from vidrep_pipelines.data.video.decode import FrameReader, count_frames, read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.probe import probe
from vidrep_pipelines.data.video.stored_video import StoredVideo, holding_file, locate

EVERY_READER = ("index", "decord", "pyav", "auto")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Two clips, a sound file and a text in one archive; the clips as files of their own."""
    folder = tmp_path_factory.mktemp("archive")
    write_video(folder / "first.mp4", 40, options={"g": "10"}, seed=1)
    write_video(folder / "pouring/größe 2.mp4", 50, options={"g": "20", "bf": "3"}, rotation=90, audio=True)
    write_video(folder / "third.mkv", 20)
    write_audio_only(folder / "sound.mp4")
    (folder / "empty.mp4").touch()
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for name in ("first.mp4", "pouring", "third.mkv", "sound.mp4", "empty.mp4"):
            tar.add(folder / name, arcname=name)
    return folder / "shard.tar"


@pytest.mark.parametrize("reader", EVERY_READER)
@pytest.mark.parametrize("name", ["first.mp4", "pouring/größe 2.mp4", "third.mkv"])
def test_frames_in_an_archive_are_those_of_the_file(archive, name, reader):
    ranks = [7, 0, 19, 12, 12]
    expected = read_frames(archive.parent / name, ranks, reader="pyav")
    np.testing.assert_array_equal(read_frames(archive / name, ranks, reader=reader), expected)
    assert count_frames(archive / name) == count_frames(archive.parent / name)
    assert probe(archive / name) == probe(archive.parent / name)


def test_packets_are_addressed_in_the_archive(archive):
    alone, packed = (PacketIndex.build(path / "first.mp4") for path in (archive.parent, archive))
    start = locate(archive / "first.mp4").start
    assert start > 0 and packed.stamp.start == start
    np.testing.assert_array_equal(packed.offsets, alone.offsets + start)
    assert packed.stamp.matches(archive)


def test_a_kept_reader_remembers_what_it_indexed_in_an_archive(archive, monkeypatch):
    reader = FrameReader("index")
    first = reader.read(archive / "first.mp4", [3])
    monkeypatch.setattr(PacketIndex, "build", None)
    np.testing.assert_array_equal(reader.read(archive / "first.mp4", [3]), first)


def test_an_archive_that_was_written_anew_makes_its_indices_stale(tmp_path):
    def pack(*names):
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            for name in names:
                tar.add(tmp_path / name, arcname=name)

    for number, name in enumerate(("a.mp4", "b.mp4")):
        write_video(tmp_path / name, 30, seed=number)
    pack("a.mp4", "b.mp4")
    stale = PacketIndex.build(tmp_path / "a.tar/a.mp4")
    expected = read_frames(tmp_path / "a.mp4", [5, 20])
    pack("b.mp4", "a.mp4")
    np.testing.assert_array_equal(read_frames(tmp_path / "a.tar/a.mp4", [5, 20], stale), expected)
    assert read_barcodes(read_frames(tmp_path / "a.tar/a.mp4", [5, 20], stale)) == [5, 20]


@pytest.mark.parametrize("reader", EVERY_READER)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent.mp4", "holds no file absent.mp4"),
        ("pouring", "holds no file pouring"),
        ("sound.mp4", "no video stream|decord cannot read it"),
        ("empty.mp4", "empty|decord cannot read it"),
    ],
)
def test_what_is_no_video_in_an_archive_is_named(archive, name, reason, reader):
    with pytest.raises(UnreadableVideoError, match=reason):
        read_frames(archive / name, [0], reader=reader)


@pytest.mark.parametrize("content", [b"no archive", b"", b"\x1f\x8b" + bytes(600)])
def test_other_files_are_no_archive(tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(UnreadableVideoError, match=r"no uncompressed tar archive|holds no file"):
        read_frames(tmp_path / "a.tar/clip.mp4", [0])


def test_a_window_behaves_like_a_file(tmp_path):
    data = bytes(range(200)) * 50
    (tmp_path / "data").write_bytes(data)
    expected = io.BytesIO(data[1000:8000])
    with StoredVideo(tmp_path / "data", 1000, 7000).open() as window:
        for step, whence, count in [(0, 0, 5), (10, 1, 20), (-30, 2, 100), (6990, 0, -1), (9000, 0, 3)]:
            assert window.seek(step, whence) == expected.seek(step, whence)
            assert window.read(count) == expected.read(count)
            assert window.tell() == expected.tell()


def test_the_holding_file_of_an_ordinary_path_is_itself(tmp_path):
    assert holding_file(tmp_path / "no/such.mp4") == tmp_path / "no/such.mp4"
