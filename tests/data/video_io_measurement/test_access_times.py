from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.videos import barcode_frames, write_video
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.profiles import PROFILES, EncodingProfile
from vidrep_pipelines.data.video.writer import VideoWriter
from vidrep_pipelines.data.video_io_measurement import access_times
from vidrep_pipelines.data.video_io_measurement.access_times import (
    EncodedClip,
    frames_to_decode,
    measure_access,
    pair_readers,
    read_by_seeking,
)
from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice, MeasureVideoIoConfig

FRAMES = 40
ENCODINGS = {
    **PROFILES,
    "g7": EncodingChoice(name="g7", profile="train", keyframe_interval=7, b_frames=0).encoding,
    "intra": EncodingChoice(name="intra", profile="train", keyframe_interval=1, b_frames=0).encoding,
}


def write(path: Path, encoding: EncodingProfile) -> Path:
    import av

    with VideoWriter(path, 96, 64, Fraction(25), encoding) as writer:
        for picture in barcode_frames(FRAMES):
            writer.write(av.VideoFrame.from_ndarray(picture, format="rgb24"))
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: write(folder / f"{name}.mp4", encoding) for name, encoding in ENCODINGS.items()}


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(ENCODINGS)),
    st.sets(st.integers(0, FRAMES - 1), min_size=1, max_size=4).map(sorted),
)
def test_it_returns_what_sequential_decoding_returns(
    clips: dict[str, Path], encoding: str, ranks: list[int]
) -> None:
    expected = read_frames(clips[encoding], ranks, reader="pyav")
    np.testing.assert_array_equal(read_by_seeking(clips[encoding], ranks), expected)


def test_a_frame_beyond_the_end_is_refused(clips: dict[str, Path]) -> None:
    with pytest.raises(UnreadableVideoError, match="no frame 40"):
        read_by_seeking(clips["train"], [3, 40])


CONFIG = MeasureVideoIoConfig(pairs=3, sequential_rounds=2)


class Clock:
    """Every look at it is one second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def clips_of_access_times(tmp_path: Path) -> list[EncodedClip]:
    """Two clips_of_access_times in two encodings."""
    found = []
    for name, frames in (("a", 12), ("b", 60)):
        for encoding, interval in (("long", "250"), ("short", "4")):
            path = write_video(
                tmp_path / f"{name}.{encoding}.mp4", frames, options={"g": interval, "bf": "0"}
            )
            found.append(EncodedClip(name, encoding, path, frames))
    return found


@pytest.fixture
def times(clips_of_access_times: list[EncodedClip]) -> pd.DataFrame:
    return measure_access(clips_of_access_times, CONFIG, Clock())


def test_every_reader_reads_every_clip_equally_often(times: pd.DataFrame) -> None:
    pairs = times[times["access"] == "pair"].groupby(["clip", "encoding", "reader"]).size()
    assert len(pairs) == 4 * len(pair_readers()) and (pairs == 3).all()
    sequential = times[times["access"] == "sequential"].groupby(["clip", "encoding"]).size()
    assert len(sequential) == 4 and (sequential == 2).all()


def test_times_are_per_pair_and_per_frame(times: pd.DataFrame) -> None:
    assert (times.loc[times["access"] == "pair", "milliseconds"] == 1000).all()
    sequential = times[times["access"] == "sequential"].set_index("clip")["milliseconds"]
    assert sequential["a"].tolist() == pytest.approx([1000 / 12] * 4)
    assert sequential["b"].tolist() == pytest.approx([1000 / 60] * 4)


def test_readers_take_turns(times: pd.DataFrame) -> None:
    pairs = times[times["access"] == "pair"]
    assert pairs["reader"].head(2 * len(pair_readers())).tolist() == 2 * list(pair_readers())
    assert pairs["encoding"].drop_duplicates().tolist() == ["long", "short"]
    assert pairs["clip"].iloc[0] == pairs["clip"].iloc[len(pairs) // 3]


def test_short_groups_need_fewer_frames(times: pd.DataFrame) -> None:
    decoded = times[times["access"] == "pair"].groupby("encoding")["decoded"].mean()
    assert 1 <= decoded["short"] <= 8 < decoded["long"]


def test_frames_to_decode_are_counted_from_the_keyframe(tmp_path: Path) -> None:
    options = {"g": "10", "bf": "0", "keyint_min": "10", "sc_threshold": "0"}
    index = PacketIndex.build(write_video(tmp_path / "a.mp4", 30, options=options))
    assert frames_to_decode(index, [0]) == 1
    assert frames_to_decode(index, [9]) == 10
    assert frames_to_decode(index, [3, 9]) == 10  # one group serves both
    assert frames_to_decode(index, [3, 25]) == 4 + 6


def test_all_readers_return_the_same_frames(clips_of_access_times: list[EncodedClip]) -> None:
    for clip in clips_of_access_times:
        pictures = [read(clip.path, [2, clip.frames - 1]) for read in pair_readers().values()]
        for other in pictures[1:]:
            np.testing.assert_array_equal(pictures[0], other)


def test_platforms_without_decord_measure_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_times, "find_spec", lambda name: None)
    assert list(pair_readers()) == ["pyav", "index"]
