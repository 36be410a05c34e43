"""Packet indices that were copied from elsewhere, or that a disk has damaged."""

from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged
from tests.fuzz.limits import ROUND, answer_within_limits
from tests.fuzz.video.samples import FRAMES, video
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import index_to_bytes, load_packet_index
from vidrep_pipelines.data.video.packet_reader import PacketReader


@cache
def indices(folder: Path) -> tuple[bytes, ...]:
    """Of a clip, as resizing writes them, and of videos that need more."""
    clip = PacketIndex.of_clip(written(folder, ".mp4"), FRAMES)
    others = [PacketIndex.build(written(folder, suffix)) for suffix in (".mp4", ".ts")]
    return tuple(index_to_bytes(index) for index in (clip, *others))


@cache
def written(folder: Path, suffix: str) -> Path:
    path = folder / f"a{suffix}"
    path.write_bytes(video(suffix))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("indices")


@pytest.mark.fuzz
@ROUND
@given(st.data())
def test_damaged_packet_indices(folder: Path, data: st.DataObject) -> None:
    content = data.draw(damaged(*indices(folder)))
    (folder / "a.packets").write_bytes(content)
    index = answer_within_limits(lambda: load_packet_index(folder / "a.packets"))
    if index is None:
        return
    assert 0 < index.frames <= len(index.sizes) == len(index.times)
    assert len(index.seconds) == index.frames
    path = written(folder, ".mp4" if index.transport is None else ".ts")
    for rank in (0, index.frames - 1):
        answer_within_limits(partial(PacketReader().read, path, [rank], index))
