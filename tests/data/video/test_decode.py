import logging
import multiprocessing
import os
import pickle
import random
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.real_clips import real_clip
from tests.helpers.videos import (
    barcode_frames,
    cut_by_edit_list,
    flip_bytes,
    read_barcodes,
    truncate,
    write_video,
)
from vidrep_pipelines.common.errors import MissingExtraError
from vidrep_pipelines.common.open_files import TooManyOpenFilesError
from vidrep_pipelines.data.video import decode
from vidrep_pipelines.data.video.decode import FileMemory, FrameReader, count_frames, read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import save_packet_index
from vidrep_pipelines.data.video.probe import probe
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video


def content(path: Path) -> str:
    return path.read_text()


def length(path: Path) -> int:
    return len(path.read_text())


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a").write_text("one")
    return tmp_path / "a"


def test_results_are_kept_until_the_file_changes(file, monkeypatch):
    memory = FileMemory(4)
    assert (memory.recall(file, content), memory.recall(file, length)) == ("one", 3)
    stamp = file.stat().st_mtime_ns
    monkeypatch.setattr(Path, "read_text", None)
    assert (memory.recall(file, content), memory.recall(file, length)) == ("one", 3)
    monkeypatch.undo()
    file.write_text("two")
    os.utime(file, ns=(stamp, stamp))
    assert memory.recall(file, content) == "one", "nothing tells this state from the one before"
    os.utime(file, ns=(stamp, stamp + 1))
    assert memory.recall(file, content) == "two"


def test_what_was_not_asked_for_longest_is_forgotten_first(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    made = []

    def make(path):
        made.append(path.name)
        return path.name

    memory = FileMemory(2)
    for number in (0, 1, 0, 2, 0, 1):
        assert memory.recall(paths[number], make) == paths[number].name
    assert made == ["a", "b", "c", "b"]


def test_results_can_be_corrected(file):
    memory = FileMemory(2)
    memory.recall(file, content)
    memory.replace(file, content, "better")
    assert memory.recall(file, content) == "better"
    assert memory.recall(file, length) == 3


def test_a_file_is_met_again_in_the_same_state_only(file):
    memory = FileMemory(3)
    assert [memory.meets_again(file) for _ in range(3)] == [False, True, True]
    file.write_text("longer")
    assert [memory.meets_again(file) for _ in range(2)] == [False, True]


def test_errors_are_not_kept(tmp_path):
    memory = FileMemory(2)
    with pytest.raises(FileNotFoundError):
        memory.recall(tmp_path / "absent", content)
    assert not memory.meets_again(tmp_path / "absent")
    (tmp_path / "absent").write_text("here")
    assert memory.recall(tmp_path / "absent", content) == "here"


FRAMES = 70
RANKS = [5, 69, 0, 33, 33, 6, 34, 12]
EVERY_READER = ("index", "decord", "pyav", "auto")

ENCODINGS = {
    "train": {"resize": "train"},
    "small": {"resize": "small"},
    "published": {"resize": "published"},
    "b-frames": {"options": {"g": "25", "bf": "3", "b_pyramid": "strict"}},
    "open groups": {"options": {"g": "10", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}},
    "variable rate": {"times": np.cumsum(1 + np.arange(FRAMES) % 3) / 50},
    "odd size": {"width": 97, "height": 65, "pixel_format": "yuv444p", "resize": "train"},
    "rotated 90": {"rotation": 90},
    "rotated 180": {"rotation": 180},
    "rotated 270": {"rotation": 270, "resize": "train"},
    "with sound": {"audio": True, "options": {"g": "20"}},
    "full range": {"pixel_format": "yuvj420p"},
    "hevc": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=20"}},
    "matroska": {"suffix": ".mkv", "options": {"g": "20"}},
}
INDEXED_ONLY = {
    "av1": {"codec": "libsvtav1", "options": {"g": "20", "svtav1-params": "lp=1"}},
    "vp9": {"codec": "libvpx-vp9", "options": {"g": "20"}},
    "ten bits": {
        "codec": "libx265",
        "pixel_format": "yuv420p10le",
        "options": {"x265-params": "log-level=none"},
    },
    "webm": {"suffix": ".webm", "codec": "libvpx-vp9", "options": {"g": "20"}},
}


def make(folder, encoding):
    encoding = dict(encoding)
    resize = encoding.pop("resize", None)
    path = write_video(folder / f"clip{encoding.pop('suffix', '.mp4')}", FRAMES, **encoding)
    if resize:
        destination = folder / "resized.mp4"
        resize_video(path, destination, ResizeConfig(short_side=64, profile=resize))
        return destination
    return path


@pytest.mark.parametrize("name", ENCODINGS)
def test_all_readers_give_identical_bytes(tmp_path, name):
    path = make(tmp_path, ENCODINGS[name])
    sequential = read_frames(path, range(FRAMES), reader="pyav")
    stored = np.rot90(sequential, -ENCODINGS[name].get("rotation", 0) // 90, axes=(1, 2))
    assert read_barcodes(stored) == list(range(FRAMES))
    for reader in EVERY_READER:
        frames = read_frames(path, RANKS, reader=reader)
        assert frames.dtype == np.uint8
        np.testing.assert_array_equal(frames, sequential[RANKS], err_msg=reader)
    facts = probe(path)
    assert frames.shape == (len(RANKS), facts.height, facts.width, 3)
    assert count_frames(path) == FRAMES


@pytest.mark.parametrize("name", INDEXED_ONLY)
def test_auto_is_exact_where_decord_is_not(tmp_path, name):
    path = make(tmp_path, INDEXED_ONLY[name])
    sequential = read_frames(path, range(FRAMES), reader="pyav")
    assert read_barcodes(sequential) == list(range(FRAMES))
    np.testing.assert_array_equal(read_frames(path, RANKS), sequential[RANKS])
    np.testing.assert_array_equal(read_frames(path, RANKS, reader="index"), sequential[RANKS])


@pytest.fixture(scope="module", params=["train", "published"])
def resized(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    source = write_video(folder / "a.mp4", 120, options={"g": "250"})
    config = ResizeConfig(short_side=64, profile=request.param)
    resize_video(source, folder / "b.mp4", config, folder / "b.packets")
    return folder / "b.mp4", folder / "b.packets", read_frames(folder / "b.mp4", range(120), reader="pyav")


KEPT_READER = FrameReader("index")


@given(ranks=st.lists(st.integers(0, 119), min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_any_ranks_in_any_order(resized, ranks):
    path, index, sequential = resized
    np.testing.assert_array_equal(KEPT_READER.read(path, ranks, index), sequential[ranks])


@pytest.fixture
def no_descriptors():
    """Nothing more can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def indexed(tmp_path):
    path = write_video(tmp_path / "a.mp4", 5)
    save_packet_index(PacketIndex.build(path), tmp_path / "a.packets")
    return path


@pytest.mark.parametrize("index", [None, "a.packets"])
@pytest.mark.parametrize("reader", ["auto", "index", "pyav"])
def test_no_video_is_to_blame_for_a_lack_of_descriptors(indexed, no_descriptors, reader, index):
    with pytest.raises(TooManyOpenFilesError, match="ulimit -n"):
        FrameReader(reader).read(indexed, [0], index and indexed.with_name(index))


def test_nor_is_it_when_its_index_is_there(indexed, request):
    index = PacketIndex.build(indexed)
    request.getfixturevalue("no_descriptors")
    with pytest.raises(TooManyOpenFilesError, match="ulimit -n"):
        FrameReader("auto").read(indexed, [0], index)


@pytest.mark.parametrize("reader", EVERY_READER)
def test_ranks_out_of_range(resized, reader):
    path, index, _ = resized
    with pytest.raises(IndexError, match=r"b\.mp4 has 120 frames, there is no frame 120"):
        read_frames(path, [3, 120], index, reader)
    with pytest.raises(IndexError, match="start at 0, -1"):
        read_frames(path, [3, -1], index, reader)


@pytest.mark.parametrize("reader", EVERY_READER)
def test_no_ranks_give_no_frames(resized, reader):
    path, index, sequential = resized
    assert read_frames(path, [], index, reader).shape == (0, *sequential.shape[1:])


@pytest.mark.parametrize("first", [20, 25])
@pytest.mark.parametrize("options", [{"g": "20"}, {"g": "20", "bf": "0"}])
def test_edit_lists(tmp_path, first, options):
    path = cut_by_edit_list(write_video(tmp_path / "a.mp4", 60, options=options), first)
    assert count_frames(path) == 60 - first
    for reader in ("index", "pyav", "auto"):
        assert read_barcodes(read_frames(path, range(60 - first), reader=reader)) == list(range(first, 60))


def test_a_reader_moves_between_many_files(tmp_path):
    shapes = [(96, 64), (64, 96), (128, 64), (96, 64)]
    paths = [
        write_video(tmp_path / f"{number}.mp4", 40, width, height, seed=number, options={"g": "9"})
        for number, (width, height) in enumerate(shapes)
    ]
    expected = [read_frames(path, range(40), reader="pyav") for path in paths]
    reader, rng = FrameReader(), random.Random(0)
    for _ in range(60):
        choice, ranks = rng.randrange(4), [rng.randrange(40), rng.randrange(40)]
        np.testing.assert_array_equal(reader.read(paths[choice], ranks), expected[choice][ranks])


def test_a_stale_index_is_not_believed(tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", 30)
    save_packet_index(PacketIndex.build(path), tmp_path / "a.packets")
    shutil.copyfile(write_video(tmp_path / "b.mp4", np.flip(barcode_frames(40), 0)), path)
    with caplog.at_level(logging.WARNING):
        frames = read_frames(path, [0, 39], tmp_path / "a.packets")
    assert read_barcodes(frames) == [39, 0]
    assert "changed since it was indexed" in caplog.text


def test_a_damaged_index_file_is_replaced_in_memory(tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", 30)
    (tmp_path / "a.packets").write_text("garbage")
    assert read_barcodes(read_frames(path, [7], tmp_path / "a.packets")) == [7]
    assert "a.packets" in caplog.text


def test_a_file_that_changes_under_a_kept_reader(tmp_path):
    path, reader = write_video(tmp_path / "a.mp4", 30), FrameReader()
    assert read_barcodes(reader.read(path, [3])) == [3]
    write_video(path, np.flip(barcode_frames(44), 0))
    assert read_barcodes(reader.read(path, [3])) == [40]


def test_decord_answers_only_those_who_name_it(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", 20)
    expected = read_frames(path, [2, 19], reader="decord")
    monkeypatch.setattr(decode, "read_with_decord", None)
    reader = FrameReader()
    for _ in range(3):  # in order, then by an index
        np.testing.assert_array_equal(reader.read(path, [2, 19]), expected)


def test_without_decord_those_who_name_it_are_told(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 20)
    monkeypatch.setitem(sys.modules, "decord", None)
    assert read_barcodes(read_frames(path, [19, 2])) == [19, 2]
    with pytest.raises(MissingExtraError, match="decord is not installed here"):
        read_frames(path, [0], reader="decord")


def test_an_index_is_made_for_a_file_that_is_read_again(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", 20)
    reader, indexed = FrameReader(), []
    build = PacketIndex.build
    monkeypatch.setattr(PacketIndex, "build", lambda path: indexed.append(path) or build(path))
    assert read_barcodes(reader.read(path, [4])) == [4]
    assert not indexed
    for _ in range(2):
        assert read_barcodes(reader.read(path, [17, 3])) == [17, 3]
    assert indexed == [path]
    monkeypatch.setattr(decode, "read_sequentially", None)
    assert read_barcodes(reader.read(path, [9])) == [9]


@pytest.mark.parametrize("reader", ["index", "pyav", "auto"])
def test_damaged_frames_are_never_returned(tmp_path, reader):
    path = write_video(tmp_path / "a.mp4", 60, options={"g": "20", "crf": "5", "bf": "0"})
    healthy = read_frames(path, range(60), reader="pyav")
    flip_bytes(path, share=0.5)
    np.testing.assert_array_equal(read_frames(path, [0, 4], reader=reader), healthy[[0, 4]])
    with pytest.raises(UnreadableVideoError, match=r"a\.mp4"):
        read_frames(path, range(60), reader=reader)


@pytest.mark.parametrize("reader", ["index", "pyav", "auto"])
@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_frames_that_inherit_damage_are_not_returned(tmp_path, reader, b_frames):
    options = {"g": "60", "crf": "5", "bf": b_frames, "x264-params": "scenecut=0"}
    path = write_video(tmp_path / "a.mp4", 60, options=options)
    healthy = read_frames(path, range(60), reader="pyav")
    flip_bytes(path, share=0.4, count=30)
    intact = 0
    for rank in range(60):
        try:
            frame = read_frames(path, [rank], reader=reader)[0]
        except UnreadableVideoError:
            continue
        np.testing.assert_array_equal(frame, healthy[rank])
        intact += 1
    assert 5 < intact < 40


@pytest.mark.parametrize("reader", EVERY_READER)
def test_bad_files_are_named(tmp_path, reader):
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.touch()
    text.write_text("no video\n" * 50)
    cut = truncate(write_video(tmp_path / "cut.mp4", 50), 0.5)
    for path in (empty, text, cut, tmp_path / "absent.mp4"):
        with pytest.raises(UnreadableVideoError, match=path.name):
            read_frames(path, [0], reader=reader)


def _read_in_child(reader, path, ranks):
    return reader.read(path, ranks)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_used_reader_may_cross_into_another_process(resized, method):
    path, index, sequential = resized
    reader = FrameReader()
    reader.read(path, [50], index)
    with multiprocessing.get_context(method).Pool(1) as pool:
        frames = pool.apply_async(_read_in_child, (reader, path, [50, 3])).get(timeout=60)
    np.testing.assert_array_equal(frames, sequential[[50, 3]])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_reader_forgets_its_decoders(resized):
    path, index, sequential = resized
    reader = FrameReader()
    reader.read(path, [50], index)
    child = os.fork()
    if child == 0:
        same = np.array_equal(reader.read(path, [50, 3], index), sequential[[50, 3]])
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_pickled_reader_carries_its_choice_only(resized):
    path, index, _ = resized
    reader = FrameReader("index")
    reader.read(path, [50], index)
    assert len(pickle.dumps(reader)) < 200
    assert pickle.loads(pickle.dumps(reader)).read(path, [1], index).shape[0] == 1


OPEN_FILES = Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files cannot be counted here")
def test_no_file_stays_open(resized):
    path, index, _ = resized
    before = len(list(OPEN_FILES.iterdir()))
    for reader in EVERY_READER:
        read_frames(path, [3], index, reader)
    assert len(list(OPEN_FILES.iterdir())) == before


@pytest.mark.parametrize("name", ["flipping_a_pancake.mkv", "unordered.mov", "video_90.mov", "video_270.mov"])
def test_real_clips(name):
    path = real_clip(name)
    count = count_frames(path)
    sequential = read_frames(path, range(count), reader="pyav")
    ranks = random.Random(0).sample(range(count), min(count, 6))
    for reader in ("decord", "auto"):
        np.testing.assert_array_equal(read_frames(path, ranks, reader=reader), sequential[ranks])


def test_real_damaged_clip():
    path = real_clip("corrupted.mp4")
    assert read_frames(path, [0, 27]).shape == (2, 720, 1280, 3)
    with pytest.raises(UnreadableVideoError, match=r"corrupted\.mp4"):
        read_frames(path, [40])


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="the system does not tell")
def test_writing_test_videos_leaves_the_process_an_ordinary_one(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0)
    write_video(tmp_path / "a.mp4", 3, codec="libsvtav1")
    assert os.sched_getscheduler(0) == before
