"""Workers read for days: opening files must cost no memory that is not given back."""

import gc
import os
import random
from pathlib import Path

import pytest

from tests.helpers.videos import write_video
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_store import PacketStore, part_name
from vidrep_pipelines.data.video.packet_store_part import write_part

RESIDENT = Path("/proc/self/statm")
LIMIT = 10 * 2**20

pytestmark = pytest.mark.skipif(not RESIDENT.is_file(), reason="resident memory cannot be read here")


def resident_bytes():
    gc.collect()
    return int(RESIDENT.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """More clips than the reader remembers indices of, in three shapes."""
    folder = tmp_path_factory.mktemp("clips")
    masters = [
        write_video(folder / f"master_{width}.mp4", 30, width, 64, options={"g": "10"}).read_bytes()
        for width in (64, 96, 128)
    ]
    paths = [folder / f"{number}.mp4" for number in range(600)]
    for number, path in enumerate(paths):
        path.write_bytes(masters[number % 3])
    entries = [(path.stem, PacketIndex.build(path)) for path in paths]
    write_part(entries, folder / f"{part_name(0, 1)}.h5")
    return paths


def growth(clips, reader, opens, source):
    """Bytes gained over so many opens, after as many again have filled caches and pools."""
    kept, store, rng = FrameReader(reader), PacketStore(clips[0].parent), random.Random(0)

    def work():
        for _ in range(opens):
            path = clips[rng.randrange(len(clips))]
            index = store.find(path.stem) if source == "store" else None
            kept.read(path, [rng.randrange(30), rng.randrange(30)], index)

    work()
    before = resident_bytes()
    work()
    return resident_bytes() - before


@pytest.mark.parametrize(
    ("reader", "source", "opens"),
    [("index", "store", 2000), ("index", "on demand", 600), ("pyav", "none", 300), ("decord", "none", 300)],
)
def test_memory_does_not_grow(clips, reader, source, opens):
    assert growth(clips, reader, opens, source) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "source"),
    [("index", "store"), ("index", "on demand"), ("pyav", "none"), ("decord", "none")],
)
def test_memory_does_not_grow_over_5000_opens(clips, reader, source):
    assert growth(clips, reader, 5000, source) < LIMIT
