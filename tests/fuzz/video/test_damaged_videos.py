"""Damaged files of every kind of container: opened, indexed, and read alike in order and by index."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged
from tests.fuzz.limits import ROUND, answer_within_limits
from tests.fuzz.video.samples import video
from vidrep_pipelines.data.video.decode import FrameReader, Pictures, read_sequentially
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.probe import probe

KINDS = [
    (".mp4", "libx264"),
    (".mp4", "libx265"),
    (".mkv", "libx264"),
    (".mkv", "libx265"),
    (".webm", "libvpx"),
    (".webm", "libvpx-vp9"),
    (".ts", "libx264"),
    (".ts", "libx265"),
    (".avi", "libx264"),
    (".h264", "libx264"),
    (".hevc", "libx265"),
]


@pytest.mark.fuzz
@pytest.mark.parametrize(("suffix", "codec"), KINDS)
@ROUND
@given(data=st.data())
def test_damaged_videos(tmp_path: Path, suffix: str, codec: str, data: st.DataObject) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data.draw(damaged(video(suffix, codec))))
    answer_within_limits(lambda: probe(path))
    index = answer_within_limits(lambda: PacketIndex.build(path))
    if index is not None:
        check_pictures(path, index)


def check_pictures(path: Path, index: PacketIndex) -> None:
    """What the index gives is what decoding from the start gives, or nothing."""
    ranks = list(range(index.frames))
    expected: Pictures | None = answer_within_limits(lambda: read_sequentially(path, ranks))
    assert expected is not None, "an index has no more frames than can be decoded"
    reader = FrameReader("index")
    for rank in ranks[::3]:
        found = answer_within_limits(partial(reader.read, path, [rank], index))
        if found is not None:
            np.testing.assert_array_equal(found[0], expected[rank])
