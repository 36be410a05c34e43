"""Whatever the encoding, a frame by its number is the frame that decoding from the start gives."""

from dataclasses import dataclass, field

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.helpers.packets import copy_packets, join_packets
from tests.helpers.videos import cut_by_edit_list, read_barcodes, write_video
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import INDEXABLE_CODECS, PacketIndex
from vidrep_pipelines.data.video.packet_index_file import index_from_bytes, index_to_bytes
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video


@dataclass(frozen=True)
class Encoding:
    """How a video is written, and what is done to its packets then (see ``tests.helpers.packets``).

    Sides of less than 64 pixels are more than x265 can bear: it writes beyond its memory.
    """

    frames: int = 40
    width: int = 64
    height: int = 64
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    suffix: str = ".mp4"
    times: tuple[float, ...] | None = None
    rotation: int = 0
    audio: bool = False
    faststart: bool = False
    hidden: int = 0
    profile: str | None = None
    seed: int = 0
    container_options: dict[str, str] = field(default_factory=dict)
    leave_out: int = 0
    times_as_stored: bool = False
    hide: tuple[int, ...] = ()

    @property
    def shows_all(self):
        """Whether all frames come out. MP4 hides what comes before time 0."""
        cut = self.leave_out or self.hide
        return not cut and not (self.suffix == ".mp4" and self.times is not None and self.times[0] < 0)

    @property
    def is_copied(self):
        return bool(self.leave_out or self.times_as_stored or self.hide)


H264_PIXELS = ("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
OTHERS = {
    "mpeg4": ("yuv420p",),
    "mjpeg": ("yuvj420p", "yuvj444p"),
    "libvpx": ("yuv420p",),
    "libvpx-vp9": ("yuv420p", "yuv422p", "yuv444p"),
    "libsvtav1": ("yuv420p", "yuv420p10le"),
}
SUFFIXES = {
    "libx264": (".mp4", ".mov", ".mkv", ".ts", ".avi", ".h264"),
    "libx265": (".mp4", ".mov", ".mkv", ".ts", ".hevc"),
    "mpeg4": (".mp4", ".avi"),
    "mjpeg": (".mp4", ".avi"),
    "libvpx": (".webm", ".mkv"),
    "libvpx-vp9": (".mp4", ".webm", ".mkv"),
    "libsvtav1": (".mp4", ".webm", ".mkv"),
}
EVENLY_SPACED = (".avi", ".h264", ".hevc")
NO_CUES = {"live": "1"}
LOOKING_AHEAD = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "8"}


def x264(interval, more="", **options):
    """Open groups of pictures, B-frames that others refer to."""
    params = "open-gop=1:bframes=3:b-pyramid=normal:scenecut=0" + (f":{more}" if more else "")
    return {"preset": "veryfast", "g": str(interval), "x264-params": params} | options


def x265(interval, more=""):
    """The encoder's defaults, among them open groups of pictures."""
    params = f"log-level=none:pools=1:keyint={interval}:min-keyint={interval}" + (f":{more}" if more else "")
    return {"preset": "ultrafast", "x265-params": params}


@st.composite
def h264(draw):
    """B-frames in every arrangement, open groups, interlaced pictures, pictures refreshed bit by bit."""
    interlaced = draw(st.sampled_from([False, False, False, True]))
    options = {
        "preset": draw(st.sampled_from(["ultrafast", "veryfast", "medium"])),
        "crf": draw(st.sampled_from(["12", "23"])),
        "g": str(draw(st.integers(1, 40))),
        "bf": str(draw(st.integers(0, 5))),
        "b-pyramid": draw(st.sampled_from(["none", "strict", "normal"])),
        "refs": str(draw(st.integers(1, 4))),
        "x264-params": f"open-gop={draw(st.integers(0, 1))}:cabac={draw(st.integers(0, 1))}"
        f":slices={draw(st.integers(1, 3))}:b-adapt={draw(st.integers(0, 2))}"
        f":intra-refresh={draw(st.sampled_from([0, 0, 0, 1]))}:interlaced={int(interlaced)}",
    }
    if interlaced:
        options["flags"] = "+ilme+ildct"
    return "libx264", draw(st.sampled_from(H264_PIXELS)), options


@st.composite
def hevc(draw):
    params = (
        f"log-level=none:pools=1:keyint={draw(st.integers(1, 30))}:min-keyint=1"
        f":open-gop={draw(st.integers(0, 1))}:bframes={draw(st.integers(0, 4))}"
        f":b-pyramid={draw(st.integers(0, 1))}:ref={draw(st.integers(1, 4))}"
    )
    pixels = draw(st.sampled_from(["yuv420p", "yuv422p", "yuv420p10le", "yuv422p10le"]))
    return "libx265", pixels, {"preset": "ultrafast", "x265-params": params}


@st.composite
def other_codec(draw):
    codec = draw(st.sampled_from(sorted(OTHERS)))
    options = {"g": str(draw(st.integers(2, 30)))}
    if codec == "libsvtav1":
        options |= {"preset": "8", "crf": "20", "svtav1-params": "lp=1"}
    elif codec.startswith("libvpx"):
        quick = {"deadline": "realtime", "cpu-used": "8"}
        options |= draw(st.sampled_from([quick, LOOKING_AHEAD]))
    return codec, draw(st.sampled_from(OTHERS[codec])), options


@st.composite
def encodings(draw, codecs):
    codec, pixels, options = draw(codecs)
    frames = draw(st.integers(1, 40))
    even = codec != "mjpeg" and "444" not in pixels
    width, height = (
        draw(st.integers(32, 44)) * 2 + (0 if even else draw(st.integers(0, 1))) for _ in range(2)
    )
    if "flags" in options:  # interlaced
        width, height = width // 2 * 2, height // 4 * 4
    suffix = draw(st.sampled_from(SUFFIXES[codec]))
    gaps = None
    if suffix not in EVENLY_SPACED and (codec, suffix) != ("libx265", ".ts"):  # it gives impossible times
        gaps = draw(st.none() | st.lists(st.integers(1, 5), min_size=frames, max_size=frames))
    start = draw(st.sampled_from([0, 0, -37, 100])) if suffix in (".mp4", ".mkv", ".ts") else 0
    is_mp4, is_matroska = suffix == ".mp4", suffix in (".mkv", ".webm")
    copyable = suffix in (".mkv", ".mp4") and codec.startswith("libx26") and gaps is None and frames > 8
    copied = copyable and draw(st.booleans())
    refreshed = "intra-refresh=1" in options.get("x264-params", "")
    cuttable = is_mp4 and codec == "libx264" and gaps is None and not copied and not refreshed
    return Encoding(
        frames,
        width,
        height,
        codec,
        pixels,
        options,
        suffix,
        None if gaps is None else tuple((np.cumsum([start, *gaps[1:]]) / 50).tolist()),
        draw(st.sampled_from([0, 90, 180, 270])) if is_mp4 else 0,
        suffix in (".mp4", ".mov", ".mkv", ".ts", ".avi") and draw(st.booleans()) and frames > 8,
        draw(st.booleans()) and is_mp4,
        draw(st.integers(0, max(frames - 2, 0))) if cuttable else 0,
        draw(st.sampled_from([None, None, "train", "small", "published"])) if frames > 1 else None,
        draw(st.integers(0, 5)),
        draw(st.sampled_from([{}, NO_CUES])) if is_matroska else {},
        draw(st.integers(0, 7)) if copied else 0,
        copied and draw(st.booleans()),
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
        container_options=encoding.container_options,
    )
    if encoding.hidden:
        path = cut_by_edit_list(path, encoding.hidden)
    if encoding.is_copied:
        path = copy_packets(
            path,
            folder / f"copy{encoding.suffix}",
            leave_out=encoding.leave_out,
            times_as_stored=encoding.times_as_stored,
            hide=encoding.hide,
            options=encoding.container_options,
        )
    if encoding.profile and encoding.shows_all and encoding.frames - encoding.hidden > 1:
        resized = folder / "resized.mp4"
        resize_video(path, resized, ResizeConfig(short_side=64, profile=encoding.profile))
        return resized
    return path


def decoded_from_the_start(path):
    """Straight through PyAV, without a line of the package's own readers."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert not any(frame.is_corrupt for frame in frames)
    return [np.rot90(f.to_ndarray(format="rgb24"), round(f.rotation / 90) % 4) for f in frames]


KEPT = {name: FrameReader(name) for name in ("auto", "index")}


def check_readers(path, expected, ranks):
    """Single frames in the given order, then all of them at once, by the index and by whatever is chosen."""
    for rank in ranks:
        np.testing.assert_array_equal(KEPT["auto"].read(path, [rank])[0], expected[rank])
    np.testing.assert_array_equal(KEPT["auto"].read(path, ranks), [expected[rank] for rank in ranks])
    assert KEPT["auto"].count(path) == len(expected)


def check_index(path, expected, ranks):
    index = index_from_bytes(index_to_bytes(PacketIndex.build(path)))
    assert index.codec in INDEXABLE_CODECS and index.frames == len(expected)
    assert (np.diff(index.seconds) > 0).all()
    for rank in ranks:
        np.testing.assert_array_equal(KEPT["index"].read(path, [rank], index)[0], expected[rank])
    everything = KEPT["index"].read(path, range(len(expected)), index)
    np.testing.assert_array_equal(everything, expected)
    return index


def check(encoding, folder, places):
    """``places`` are shares of the clip's length: hypothesis draws them before there is a clip."""
    path = write(encoding, folder)
    expected = decoded_from_the_start(path)
    if encoding.shows_all:
        shown = np.rot90(expected, -encoding.rotation // 90, axes=(1, 2))
        assert read_barcodes(shown) == list(range(encoding.hidden, encoding.frames))
    ranks = [int(place * len(expected)) for place in places]
    if not expected:
        return
    check_readers(path, expected, ranks)
    is_refreshed = "intra-refresh=1" in encoding.options.get("x264-params", "")
    if (encoding.codec in ("mpeg4", "mjpeg") or is_refreshed) and path.name != "resized.mp4":
        return  # these have no index, or one that does not give every picture
    check_index(path, expected, ranks)


PLACES = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=6)
EVERYWHERE = [place / 40 for place in (39, *range(0, 40, 3), 38, 1, 20)]
QUIETLY = {"suppress_health_check": [HealthCheck.too_slow], "deadline": None}

CASES = {
    "x265, keyframe every 2": Encoding(codec="libx265", options=x265(2), suffix=".mkv"),
    "x265, keyframe every 7": Encoding(codec="libx265", options=x265(7), suffix=".mkv"),
    "x265, keyframe every 12": Encoding(codec="libx265", options=x265(12), suffix=".mkv"),
    "x264, open groups, Matroska": Encoding(options=x264(12), suffix=".mkv"),
    "x264, open groups, AVI": Encoding(options=x264(12), suffix=".avi"),
    "x264, open groups, transport stream": Encoding(options=x264(12), suffix=".ts", audio=True),
    "x264, open groups, MOV": Encoding(options=x264(12), suffix=".mov"),
    "x264, open groups, no container": Encoding(options=x264(12), suffix=".h264"),
    "x265, transport stream": Encoding(codec="libx265", options=x265(7), suffix=".ts"),
    "m2ts": Encoding(options=x264(12), suffix=".m2ts"),
    "VP8": Encoding(codec="libvpx", options={"g": "12"}, suffix=".webm"),
    "VP8, hidden frames": Encoding(codec="libvpx", options={"g": "20"}, suffix=".webm", hide=(3, 11, 29)),
    "VP9": Encoding(codec="libvpx-vp9", options={"g": "12"} | LOOKING_AHEAD, suffix=".webm"),
    "AV1, hidden frames": Encoding(
        30, codec="libsvtav1", options={"g": "12", "preset": "10", "svtav1-params": "lp=1"}, suffix=".webm"
    ),
    "4:2:2, 10 bits": Encoding(pixel_format="yuv422p10le", options=x264(12), suffix=".mkv"),
    "4:2:2, 10 bits, HEVC": Encoding(
        codec="libx265", pixel_format="yuv422p10le", options=x265(12), suffix=".mkv"
    ),
    "interlaced": Encoding(options=x264(12, "interlaced=1:tff=1", flags="+ilme+ildct"), suffix=".ts"),
    "interlaced, MP4": Encoding(options=x264(12, "interlaced=1:bff=1", flags="+ilme+ildct")),
    "negative times": Encoding(
        options=x264(12),
        suffix=".mkv",
        times=tuple(n / 25 - 0.5 for n in range(40)),
        container_options={"avoid_negative_ts": "disabled"},
    ),
    "Matroska without cues": Encoding(options=x264(12), suffix=".mkv", container_options=NO_CUES),
    "no keyframe at first": Encoding(options=x264(12), suffix=".mkv", leave_out=5),
    "no keyframe at first, transport stream": Encoding(options=x264(12), suffix=".ts", leave_out=5),
    "no keyframe at first, HEVC": Encoding(codec="libx265", options=x265(12), suffix=".mkv", leave_out=5),
    "times as stored": Encoding(options=x264(12), suffix=".mkv", times_as_stored=True),
    "refreshed bit by bit": Encoding(options=x264(12, "intra-refresh=1"), suffix=".ts"),
}


@pytest.mark.parametrize("name", CASES)
def test_encodings_that_readers_stumble_over(tmp_path, name):
    check(CASES[name], tmp_path, EVERYWHERE)


def test_hidden_frames_are_there(tmp_path):
    """The cases above are what they claim to be: more is stored than is shown."""
    index = PacketIndex.build(write(CASES["VP8, hidden frames"], tmp_path))
    assert (len(index.sizes), index.frames) == (40, 37)
    assert np.flatnonzero(index.discarded).tolist() == [3, 11, 29]
    index = PacketIndex.build(write(CASES["AV1, hidden frames"], tmp_path))
    assert (index.sizes < 5).any(), "nothing but the order to show a frame that was hidden before"


@pytest.mark.parametrize("suffix", [".avi", ".h264", ".mkv"])
def test_made_up_times_do_not_decide(tmp_path, suffix):
    """Frames are evenly spaced where the container's times do not fit the order of the frames."""
    encoding = Encoding(options=x264(12), suffix=suffix, times_as_stored=suffix == ".mkv")
    index = PacketIndex.build(write(encoding, tmp_path))
    assert np.diff(index.presented).min() < 0, "it has B-frames"
    assert index.seconds - index.seconds[0] == pytest.approx(np.arange(40) / 25)


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_pictures_that_change_their_size(tmp_path, suffix):
    first = write_video(tmp_path / "1.h264", 12, 64, 48, options={"g": "6"})
    second = write_video(tmp_path / "2.h264", 12, 96, 64, options={"g": "6"}, seed=1)
    path = join_packets([first, second], tmp_path / f"joined{suffix}")
    expected = decoded_from_the_start(path)
    assert [picture.shape[:2] for picture in expected] == [(48, 64)] * 12 + [(64, 96)] * 12
    for reader in KEPT.values():
        for rank in (23, 0, 11, 12, 5, 13):
            np.testing.assert_array_equal(reader.read(path, [rank])[0], expected[rank])

    with pytest.raises(UnreadableVideoError, match=r"from 64 x 48 \(frame 3\) to 96 x 64 \(frame 20\)"):
        FrameReader().read(path, [20, 3])


def test_an_index_that_errs_gives_no_wrong_pictures(tmp_path):
    """Where pictures are refreshed bit by bit, they are not whole for some time after each "keyframe"."""
    path = write(CASES["refreshed bit by bit"], tmp_path)
    expected = decoded_from_the_start(path)
    index, refused = PacketIndex.build(path), 0
    for rank, picture in enumerate(expected):
        try:
            np.testing.assert_array_equal(KEPT["index"].read(path, [rank], index)[0], picture)
        except UnreadableVideoError as error:
            assert str(path) in str(error)
            refused += 1
    assert 0 < refused < len(expected)


@given(encodings(h264()), PLACES)
@settings(max_examples=40, **QUIETLY)
@example(CASES["x264, open groups, Matroska"], EVERYWHERE)
@example(CASES["x264, open groups, AVI"], EVERYWHERE)
def test_h264(tmp_path_factory, encoding, places):
    check(encoding, tmp_path_factory.mktemp("clip"), places)


@given(encodings(hevc()), PLACES)
@settings(max_examples=12, **QUIETLY)
@example(CASES["x265, keyframe every 2"], EVERYWHERE)
@example(CASES["x265, keyframe every 7"], EVERYWHERE)
@example(CASES["x265, keyframe every 12"], EVERYWHERE)
def test_hevc(tmp_path_factory, encoding, places):
    check(encoding, tmp_path_factory.mktemp("clip"), places)


@given(encodings(other_codec()), PLACES)
@settings(max_examples=15, **QUIETLY)
def test_other_codecs(tmp_path_factory, encoding, places):
    check(encoding, tmp_path_factory.mktemp("clip"), places)


@pytest.mark.slow
@given(encodings(h264() | hevc() | other_codec()), PLACES)
@settings(max_examples=400, **QUIETLY)
def test_many_encodings(tmp_path_factory, encoding, places):
    check(encoding, tmp_path_factory.mktemp("clip"), places)
