"""Whatever the encoding, a frame by its number is the frame that decoding from the start gives."""

from dataclasses import dataclass, field

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.videos import cut_by_edit_list, read_barcodes, write_video
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.packet_index import INDEXABLE_CODECS, PacketIndex
from vidrep_pipelines.data.video.packet_index_file import index_from_bytes, index_to_bytes
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video


@dataclass(frozen=True)
class Encoding:
    frames: int
    width: int
    height: int
    codec: str
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)
    suffix: str = ".mp4"
    times: tuple[float, ...] | None = None
    rotation: int = 0
    audio: bool = False
    faststart: bool = False
    hidden: int = 0
    profile: str | None = None
    seed: int = 0


H264_PIXELS = ("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le")
OTHERS = {
    "libx265": ("yuv420p", "yuv420p10le"),
    "mpeg4": ("yuv420p",),
    "mjpeg": ("yuvj420p", "yuvj444p"),
    "libvpx-vp9": ("yuv420p", "yuv444p"),
    "libsvtav1": ("yuv420p", "yuv420p10le"),
}


@st.composite
def h264(draw):
    """B-frames in every arrangement, open groups, fields of every length."""
    options = {
        "preset": draw(st.sampled_from(["ultrafast", "veryfast", "medium"])),
        "crf": draw(st.sampled_from(["12", "23"])),
        "g": str(draw(st.integers(1, 40))),
        "bf": str(draw(st.integers(0, 5))),
        "b-pyramid": draw(st.sampled_from(["none", "strict", "normal"])),
        "refs": str(draw(st.integers(1, 4))),
        "x264-params": f"open-gop={draw(st.integers(0, 1))}:cabac={draw(st.integers(0, 1))}"
        f":slices={draw(st.integers(1, 3))}:b-adapt={draw(st.integers(0, 2))}",
    }
    return "libx264", draw(st.sampled_from(H264_PIXELS)), options


@st.composite
def other_codec(draw):
    codec = draw(st.sampled_from(sorted(OTHERS)))
    interval = str(draw(st.integers(2, 30)))
    quiet = {"libx265": {"x265-params": "log-level=none:pools=1"}, "libsvtav1": {"svtav1-params": "lp=1"}}
    speed = {"libx265": {"preset": "ultrafast"}, "libsvtav1": {"preset": "8", "crf": "20"}}
    speed["libvpx-vp9"] = {"deadline": "realtime", "cpu-used": "8"}
    return (
        codec,
        draw(st.sampled_from(OTHERS[codec])),
        {"g": interval} | quiet.get(codec, {}) | speed.get(codec, {}),
    )


@st.composite
def encodings(draw, codecs):
    codec, pixels, options = draw(codecs)
    frames = draw(st.integers(1, 48))
    even = codec != "mjpeg" and "444" not in pixels
    width, height = (
        draw(st.integers(32, 60)) * 2 + (0 if even else draw(st.integers(0, 1))) for _ in range(2)
    )
    gaps = draw(st.none() | st.lists(st.integers(1, 5), min_size=frames, max_size=frames))
    suffixes = [".mp4", ".mov", ".mkv"] if codec in ("libx264", "libx265") else [".mp4"]
    suffix = draw(st.sampled_from(suffixes))
    cuttable = suffix == ".mp4" and codec == "libx264" and gaps is None
    return Encoding(
        frames,
        width,
        height,
        codec,
        pixels,
        options,
        suffix,
        None if gaps is None else tuple((np.cumsum(gaps) / 50).tolist()),
        draw(st.sampled_from([0, 90, 180, 270])) if suffix == ".mp4" else 0,
        draw(st.booleans()) and frames > 8,
        draw(st.booleans()),
        draw(st.integers(0, max(frames - 2, 0))) if cuttable else 0,
        draw(st.sampled_from([None, None, "train", "small", "published"])) if frames > 1 else None,
        draw(st.integers(0, 5)),
    )


def write(encoding, folder):
    path = write_video(
        folder / f"clip{encoding.suffix}",
        encoding.frames,
        encoding.width,
        encoding.height,
        codec=encoding.codec,
        pixel_format=encoding.pixel_format,
        options=encoding.options,
        times=encoding.times,
        audio=encoding.audio,
        rotation=encoding.rotation,
        faststart=encoding.faststart,
        seed=encoding.seed,
    )
    if encoding.hidden:
        path = cut_by_edit_list(path, encoding.hidden)
    if encoding.profile and encoding.frames - encoding.hidden > 1:
        resized = folder / "resized.mp4"
        resize_video(path, resized, ResizeConfig(short_side=64, profile=encoding.profile))
        return resized
    return path


def decoded_from_the_start(path):
    """Straight through PyAV, without a line of the package's own readers."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return np.stack([np.rot90(f.to_ndarray(format="rgb24"), round(f.rotation / 90) % 4) for f in frames])


KEPT = {name: FrameReader(name) for name in ("auto", "index")}


def check(encoding, folder, places):
    """``places`` are shares of the clip's length: hypothesis draws them before there is a clip."""
    path = write(encoding, folder)
    expected = decoded_from_the_start(path)
    shown = np.rot90(expected, -encoding.rotation // 90, axes=(1, 2))
    assert read_barcodes(shown) == list(range(encoding.hidden, encoding.frames))
    ranks = [int(place * len(expected)) for place in places]
    np.testing.assert_array_equal(KEPT["auto"].read(path, ranks), expected[ranks])
    if path.suffix == ".mkv" or encoding.codec in ("mpeg4", "mjpeg"):
        return
    index = index_from_bytes(index_to_bytes(PacketIndex.build(path)))
    assert index.codec in INDEXABLE_CODECS and index.frames == len(expected)
    np.testing.assert_array_equal(KEPT["index"].read(path, ranks, index), expected[ranks])
    everything = KEPT["index"].read(path, range(len(expected)), index)
    np.testing.assert_array_equal(everything, expected)


PLACES = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=10)
QUIETLY = {"suppress_health_check": [HealthCheck.too_slow], "deadline": None}


@given(encodings(h264()), PLACES)
@settings(max_examples=40, **QUIETLY)
def test_h264(tmp_path_factory, encoding, places):
    check(encoding, tmp_path_factory.mktemp("clip"), places)


@given(encodings(other_codec()), PLACES)
@settings(max_examples=15, **QUIETLY)
def test_other_codecs(tmp_path_factory, encoding, places):
    check(encoding, tmp_path_factory.mktemp("clip"), places)


@pytest.mark.slow
@given(encodings(h264() | other_codec()), PLACES)
@settings(max_examples=400, **QUIETLY)
def test_many_encodings(tmp_path_factory, encoding, places):
    check(encoding, tmp_path_factory.mktemp("clip"), places)
