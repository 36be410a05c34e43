import dataclasses
import os
import pickle
from fractions import Fraction

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.helpers.videos import write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.packet_index import FileStamp, PacketIndex
from vidrep_pipelines.data.video.packet_store import (
    PacketStore,
    part_count,
    part_name,
    split_into_parts,
)
from vidrep_pipelines.data.video.packet_store_part import PacketStorePart, key_of, write_part


def assert_equal(left, right):
    for field in dataclasses.fields(PacketIndex):
        one, other = getattr(left, field.name), getattr(right, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None), field.name


@st.composite
def indices(draw):
    count = draw(st.integers(1, 40))
    numbers = arrays.arrays(np.int64, count, elements=st.integers(0, 2**31 - 1))
    flags = arrays.arrays(np.bool_, count)
    sizes = draw(numbers)
    offsets = draw(st.sampled_from([np.cumsum(sizes) - sizes + 48, np.cumsum(sizes) * 2]))
    step, first = draw(st.integers(1, 10**5)), draw(st.integers(-(2**40), 2**40))
    ticks = st.integers(0, draw(st.sampled_from([10**3, 2**40])))
    times = draw(arrays.arrays(np.int64, count, elements=ticks, unique=True)) * step + first
    seconds = draw(st.none() | arrays.arrays(np.float64, count, elements=st.floats(0, 1e6)))
    return PacketIndex(
        codec=draw(st.sampled_from(["h264", "libdav1d"])),
        extradata=draw(st.binary(max_size=60)),
        width=draw(st.integers(1, 9000)),
        height=draw(st.integers(1, 9000)),
        rotation=draw(st.sampled_from([0, 90, -180])),
        time_base=Fraction(1, draw(st.integers(1, 10**9))),
        frames_per_second=draw(st.floats(0, 1000)),
        offsets=offsets,
        sizes=sizes,
        times=times,
        keyframes=draw(flags),
        droppable=draw(flags),
        discarded=draw(flags),
        source_seconds=seconds,
        stamp=FileStamp(draw(st.integers(0, 2**40)), draw(st.integers(0, 2**62)), "00ff" * 4, 512),
    )


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(NAMES, indices(), max_size=6))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_found(tmp_path_factory, clips):
    path = tmp_path_factory.mktemp("part") / "a.h5"
    write_part(clips.items(), path)
    part = PacketStorePart(path)
    assert len(part) == len(clips)
    for clip, index in clips.items():
        assert_equal(part.find(clip), index)
    assert part.find("a clip that is not there at all") is None


def test_names_with_one_hash_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("vidrep_pipelines.data.video.packet_store_part.key_of", lambda clip: 2**64 - 1)
    index = PacketIndex.build(write_video(tmp_path / "a.mp4", 10))
    clips = {name: dataclasses.replace(index, width=number) for number, name in enumerate("abc")}
    write_part(clips.items(), tmp_path / "a.h5")
    part = PacketStorePart(tmp_path / "a.h5")
    assert [part.find(name).width for name in "cab"] == [2, 0, 1]
    assert part.find("d") is None


def test_arrays_are_plain_blocks_that_other_programs_read(tmp_path):
    index = PacketIndex.build(write_video(tmp_path / "a.mp4", 40))
    write_part([("a", index)], tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert all(array.chunks is None for array in file.values())
        assert file["sizes"][:].tolist() == index.sizes.tolist()
        assert file["records"][0]["codec"] == b"h264"


def test_a_clip_takes_little_room(tmp_path):
    index = PacketIndex.build(write_video(tmp_path / "a.mp4", 250, options={"bf": "0"}))
    for count in (10, 110):
        write_part(((f"clip {number}", index) for number in range(count)), tmp_path / f"{count}.h5")
    sizes = [(tmp_path / f"{count}.h5").stat().st_size for count in (10, 110)]
    assert (sizes[1] - sizes[0]) / 100 < 250 * 9 + 500


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    index = PacketIndex.build(write_video(tmp_path / "a.mp4", 10))
    clips = [f"pouring/clip_{number}" for number in range(50)]
    for name, members in split_into_parts(clips, 8).items():
        entries = [(clip, dataclasses.replace(index, width=clips.index(clip))) for clip in members]
        write_part(entries, folder / f"{name}.h5")
    return PacketStore(folder)


def test_every_clip_is_found_in_its_part(store):
    assert [store.find(f"pouring/clip_{number}").width for number in range(50)] == list(range(50))
    assert store.find("pouring/clip_50") is None


def test_one_clip_opens_one_part(store, monkeypatch):
    opened = []

    def opening(path):
        opened.append(path.name)
        return PacketStorePart(path)

    monkeypatch.setattr("vidrep_pipelines.data.video.packet_store.PacketStorePart", opening)
    for _ in range(3):
        assert store.find("pouring/clip_7")
    assert opened == [f"{part_name(key_of('pouring/clip_7') % 8, 8)}.h5"]


def test_a_store_crosses_into_other_processes(store):
    store.find("pouring/clip_7")
    assert len(pickle.dumps(store)) < 300
    assert pickle.loads(pickle.dumps(store)).find("pouring/clip_3").width == 3
    child = os.fork()
    if child == 0:
        os._exit(0 if store.find("pouring/clip_7").width == 7 and store.find("pouring/clip_8") else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_parts_of_an_older_division_are_asked_last(store, tmp_path):
    index = PacketIndex.build(tmp_path / "a.mp4")
    for clip, width in (("pouring/clip_3", 1000), ("old", 2000)):
        write_part([(clip, dataclasses.replace(index, width=width))], store.folder / f"{part_name(0, 1)}.h5")
        assert store.find("pouring/clip_3").width == 3
        store = PacketStore(store.folder)
    assert store.find("old").width == 2000


def test_an_absent_store_is_said_once(tmp_path, caplog):
    store = PacketStore(tmp_path)
    assert store.find("a") is store.find("b") is None
    assert caplog.text.count("holds no packet store") == 1


@pytest.mark.parametrize("damage", ["cut", "text", "version", "chunks", "array"])
def test_damaged_parts_are_named_and_done_without(store, damage, caplog):
    path = store.folder / f"{part_name(key_of('pouring/clip_7') % 8, 8)}.h5"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif damage == "text":
        path.write_text("hello")
    else:
        with h5py.File(path, "r+") as file:
            if damage == "version":
                file.attrs["version"] = 99
            else:
                sizes = file["sizes"][:]
                del file["sizes"]
                if damage == "chunks":
                    file.create_dataset("sizes", data=sizes, compression="gzip")
    with pytest.raises(InputError, match=path.name):
        PacketStorePart(path)
    assert store.find("pouring/clip_7") is store.find("pouring/clip_7") is None
    assert caplog.text.count(path.name) == 1
    assert sum(store.find(f"pouring/clip_{number}") is not None for number in range(50)) > 25


@given(st.integers(0, 10**8), st.integers(1, 10**5))
def test_the_number_of_parts_is_a_power_of_two_with_room_for_all(clips, size):
    count = part_count(clips, size)
    assert count & (count - 1) == 0
    assert clips <= count * size and (count == 1 or clips > count * size // 2)
