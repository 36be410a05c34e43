from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.videos import barcode_frames
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.profiles import PROFILES, EncodingProfile
from vidrep_pipelines.data.video.writer import VideoWriter
from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice
from vidrep_pipelines.data.video_io_measurement.seeking_reader import read_by_seeking

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
