import random

import av
import numpy as np
import pytest
from PIL import Image

from tests.helpers.packets import join_packets
from tests.helpers.real_clips import real_clip
from tests.helpers.videos import (
    barcode_frames,
    cut_by_edit_list,
    flip_bytes,
    read_barcodes,
    truncate,
    write_audio_only,
    write_video,
)
from vidrep_pipelines.data.video import writer
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index_file import load_packet_index
from vidrep_pipelines.data.video.probe import probe
from vidrep_pipelines.data.video.profiles import PROFILES, ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video

SMALL = ResizeConfig(short_side=64)


def resize(source, config=SMALL, **options):
    destination = source.with_name("resized.mp4")
    return destination, resize_video(source, destination, config, **options)


def all_frames(path):
    return read_frames(path, range(probe(path).frames), reader="pyav")


def times_in_frames(path):
    """Presentation times as the container stores them, in units of the frame period."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [float(frame.time * stream.average_rate) for frame in container.decode(stream)]


@pytest.mark.parametrize("profile", ["train", "small", "published"])
def test_every_frame_is_kept_in_order(tmp_path, profile):
    source = write_video(tmp_path / "a.mp4", 60, 192, 128, rate=30, audio=True)
    path, facts = resize(source, ResizeConfig(short_side=64, profile=profile))
    assert read_barcodes(all_frames(path)) == list(range(60))
    assert times_in_frames(path) == pytest.approx(range(60), abs=1e-6)
    assert facts == {
        "source_width": 192,
        "source_height": 128,
        "source_frames": 60,
        "source_codec": "h264",
        "rotation": 0,
        "has_audio": True,
        "width": 96,
        "height": 64,
        "frames": 60,
        "frames_per_second": 30.0,
        "duration_seconds": 2.0,
        "keyframe_interval": PROFILES[profile].keyframe_interval,
        "verdict": "healthy",
        "verdict_detail": "",
    }
    written = probe(path)
    assert (written.frames, written.has_audio, written.pixel_format) == (60, False, "yuv420p")


def test_the_result_looks_like_the_source(tmp_path):
    frames = barcode_frames(8, 96, 64)
    path, _ = resize(write_video(tmp_path / "a.mp4", frames, options={"crf": "10"}))
    assert np.abs(all_frames(path).astype(int) - frames).mean() < 6


@pytest.mark.parametrize("profile", ["train", "small"])
def test_the_structure_is_the_same_whatever_the_content(tmp_path, profile):
    """Keyframes at fixed intervals; of four frames three are B-frames that nothing refers to."""
    source = write_video(tmp_path / "a.mp4", np.repeat(barcode_frames(10, 96, 64), 15, axis=0))
    interval = PROFILES[profile].keyframe_interval
    index_path = tmp_path / "a.packets"
    resize(source, ResizeConfig(short_side=64, profile=profile), index_destination=index_path)
    index = load_packet_index(index_path)
    assert index.presented[::interval].tolist() == np.flatnonzero(index.keyframes).tolist()
    whole = interval * (len(index.presented) // interval)
    droppable = index.droppable[index.presented[:whole]].reshape(-1, interval)
    assert (droppable == (np.arange(interval) % 4 > 0)).all()


def test_the_header_is_at_the_front(tmp_path):
    path, _ = resize(write_video(tmp_path / "a.mp4"))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("profile", ["train", "small", "published"])
def test_resizing_again_gives_the_same_bytes(tmp_path, profile):
    source = write_video(tmp_path / "a.mp4", 60)
    results = {resize(source, ResizeConfig(short_side=64, profile=profile))[0].read_bytes() for _ in range(5)}
    assert len(results) == 1


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_applied_and_its_tag_dropped(tmp_path, rotation):
    upright = barcode_frames(10, 64, 64)
    upright[:, :8] = (200, 30, 30)  # a red bar on top tells the four directions apart
    stored = np.rot90(upright, -rotation // 90, axes=(1, 2))
    source = write_video(tmp_path / "a.mp4", stored, options={"crf": "5"}, rotation=rotation)
    path, facts = resize(source)
    assert probe(path).rotation == 0
    assert facts["rotation"] % 360 == rotation
    frames = all_frames(path)
    assert read_barcodes(frames) == list(range(10))
    assert np.abs(frames.astype(int) - upright).mean() < 8


def test_rotation_swaps_the_sides(tmp_path):
    _, facts = resize(write_video(tmp_path / "a.mp4", 5, 98, 62, rotation=90), ResizeConfig(short_side=32))
    assert [facts[key] for key in ("source_width", "source_height", "width", "height")] == [62, 98, 32, 50]


@pytest.mark.parametrize(
    ("width", "height", "pixel_format", "codec"),
    [
        (97, 65, "yuv444p", "libx264"),
        (33, 71, "yuv444p", "libx264"),
        (96, 64, "yuv420p10le", "libx265"),
        (96, 64, "yuvj420p", "libx264"),
        (96, 64, "yuv420p", "mpeg4"),
        (96, 64, "yuv420p", "libvpx-vp9"),
    ],
)
def test_odd_sizes_pixel_formats_and_codecs(tmp_path, width, height, pixel_format, codec):
    source = write_video(tmp_path / "a.mkv", 12, width, height, pixel_format=pixel_format, codec=codec)
    path, facts = resize(source)
    assert read_barcodes(all_frames(path)) == list(range(12))
    assert (facts["source_width"], facts["source_height"]) == (width, height)
    assert probe(path).pixel_format in {"yuv420p", "yuvj420p"}
    original = read_frames(source, [0], reader="pyav")
    assert abs(all_frames(path)[0].mean() - original.mean()) < 3


def test_uneven_times_become_even_and_are_remembered(tmp_path):
    times = [0.0, 0.04, 0.2, 0.24, 0.9, 1.0, 1.04, 1.6]
    source = write_video(tmp_path / "a.mp4", 8, times=times)
    index_path = tmp_path / "a.packets"
    path, facts = resize(source, index_destination=index_path)
    assert read_barcodes(all_frames(path)) == list(range(8))
    assert times_in_frames(path) == pytest.approx(range(8), abs=1e-6)
    assert load_packet_index(index_path).seconds == pytest.approx(times, abs=1e-4)
    assert facts["frames"] == 8


def test_even_times_need_no_table(tmp_path):
    resize(write_video(tmp_path / "a.mp4", 8), index_destination=tmp_path / "a.packets")
    index = load_packet_index(tmp_path / "a.packets")
    assert index.source_seconds is None
    assert index.seconds == pytest.approx(np.arange(8) / 25)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("last_is_key", [False, True])
def test_times_that_avi_does_not_have_are_even(tmp_path, codec, last_is_key):
    options = {
        "g": "14" if last_is_key else "30",
        "bf": "2" if codec == "mpeg4" else "3",
        "sc_threshold": "0",
    }
    source = write_video(tmp_path / "a.avi", 29, codec=codec, options=options)
    path, facts = resize(source, index_destination=tmp_path / "a.packets")
    assert (facts["frames"], facts["verdict"]) == (29, "healthy")
    assert read_barcodes(all_frames(path)) == list(range(29))
    index = load_packet_index(tmp_path / "a.packets")
    assert index.source_seconds is None
    assert index.seconds == pytest.approx(np.arange(29) / 25)


def test_equal_times_do_not_delay_what_comes_after(tmp_path):
    times = [0.0, 0.04, 0.04, 0.5, 0.54]
    source = write_video(tmp_path / "a.mkv", 5, times=[0.0, 0.04, 0.0401, 0.5, 0.54])
    resize(source, index_destination=tmp_path / "a.packets")
    assert load_packet_index(tmp_path / "a.packets").seconds == pytest.approx(times, abs=2e-3)


def test_joined_recordings_of_two_sizes_are_called_that(tmp_path):
    parts = [
        write_video(tmp_path / f"{width}.ts", 30, width, height, options={"bf": "0"}).read_bytes()
        for width, height in ((96, 64), (64, 96))
    ]
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(parts))
    path, facts = resize(source)
    assert facts["verdict"] == "truncated"
    assert "a recording of another size follows (64 x 96 after 96 x 64)" in facts["verdict_detail"]
    assert "split them" in facts["verdict_detail"]
    assert 25 < facts["frames"] <= 30
    assert read_barcodes(all_frames(path)) == list(range(facts["frames"]))
    with pytest.raises(UnreadableVideoError, match=r"joined\.ts: .*another size follows"):
        read_frames(source, [45])


def joined(folder, counts, sizes, suffix=".ts"):
    """Recordings joined byte by byte; their lengths decide whether the pieces look as if some were lost."""
    parts = [
        write_video(folder / f"part{suffix}", count, *size, options={"bf": "0"}).read_bytes()
        for count, size in zip(counts, sizes, strict=True)
    ]
    path = folder / f"joined{suffix}"
    path.write_bytes(b"".join(parts))
    return path


def test_joined_recordings_of_one_size_are_called_that_or_kept_whole(tmp_path):
    details = []
    for count in (28, 29):
        _, facts = resize(joined(tmp_path, (count, count), [(96, 64)] * 2))
        details.append((facts["frames"] == 2 * count, facts["verdict_detail"]))
    assert details[1] == (True, "")
    assert "a recording whose clock starts anew follows, as where files were" in details[0][1]


@pytest.mark.parametrize("suffix", [".ts", ".h264"])
@pytest.mark.parametrize("count", [28, 29, 30])
def test_pictures_are_never_squeezed(tmp_path, suffix, count):
    path, facts = resize(joined(tmp_path, (count, 12), [(96, 64), (64, 96)], suffix))
    assert facts["verdict"] == "truncated"
    assert "64 x 96 after 96 x 64" in facts["verdict_detail"]
    assert count - 3 < facts["frames"] <= count
    assert read_barcodes(all_frames(path)) == list(range(facts["frames"]))


def test_pictures_of_one_shape_may_change_their_size(tmp_path):
    parts = [write_video(tmp_path / f"{n}.h264", 12, 64 * n, 48 * n, options={"bf": "0"}) for n in (1, 2)]
    path, facts = resize(join_packets(parts, tmp_path / "a.mkv"))
    assert (facts["frames"], facts["verdict"]) == (24, "healthy")
    assert read_barcodes(all_frames(path)) == 2 * list(range(12))


def test_a_broken_transport_stream_is_not_called_joined(tmp_path):
    source = write_video(tmp_path / "a.ts", 60, options={"bf": "2", "crf": "5"})
    data = source.read_bytes()
    source.write_bytes(data[: 188 * 40] + data[188 * 50 :])
    _, facts = resize(source, ResizeConfig(short_side=64, min_frames=1))
    assert facts["verdict"] == "truncated"
    assert "joined" not in facts["verdict_detail"]


def test_frames_hidden_by_an_edit_list_stay_hidden(tmp_path):
    source = cut_by_edit_list(write_video(tmp_path / "a.mp4", 60, options={"g": "20"}), 25)
    path, facts = resize(source)
    assert read_barcodes(all_frames(path)) == list(range(25, 60))
    assert facts["verdict"] == "healthy"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_truncated_clip_keeps_its_beginning(tmp_path, name):
    frames = np.random.default_rng(0).integers(0, 255, (100, 64, 96, 3)).astype(np.uint8)
    frames[:, 32:] = barcode_frames(100)[:, 32:]
    source = truncate(write_video(tmp_path / name, frames, faststart=True, options={"bf": "0"}), 0.5)
    path, facts = resize(source)
    assert facts["verdict"] == "truncated"
    assert facts["verdict_detail"]
    assert 30 < facts["frames"] < 70
    assert read_barcodes(all_frames(path)) == list(range(facts["frames"]))


@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_damage_in_the_middle_keeps_what_came_before(tmp_path, b_frames):
    source = write_video(tmp_path / "a.mp4", 100, options={"bf": b_frames, "crf": "5"})
    healthy = all_frames(source)
    flip_bytes(source)
    path, facts = resize(source)
    count = facts["frames"]
    assert facts["verdict"] == "truncated"
    assert 2 <= count < 90
    assert read_barcodes(all_frames(path)) == list(range(count))
    assert (read_frames(source, range(count), reader="pyav") == healthy[:count]).all()


def test_truncated_clips_can_be_refused(tmp_path):
    source = flip_bytes(write_video(tmp_path / "a.mp4", 100, options={"crf": "5"}))
    with pytest.raises(UnreadableVideoError, match="allow_truncated"):
        resize(source, ResizeConfig(short_side=64, allow_truncated=False))
    assert not (tmp_path / "resized.mp4").exists()


def test_a_clip_damaged_from_the_start_is_a_failure(tmp_path):
    source = flip_bytes(write_video(tmp_path / "a.mp4", 100, options={"crf": "5"}), share=0, count=5000)
    with pytest.raises(UnreadableVideoError, match=r"a\.mp4"):
        resize(source)
    assert not (tmp_path / "resized.mp4").exists()


def test_no_damage_stops_the_run(tmp_path):
    healthy = write_video(tmp_path / "healthy.mp4", 40, options={"g": "10"}, audio=True).read_bytes()
    rng, outcomes = random.Random(0), set()
    for number in range(40):
        data = bytearray(healthy[: rng.choice([len(healthy), rng.randrange(1, len(healthy))])])
        for _ in range(rng.choice([0, 1, 10])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        source = tmp_path / "a.mp4"
        source.write_bytes(data)
        try:
            outcomes.add(resize(source, index_destination=tmp_path / "a.packets")[1]["verdict"])
        except UnreadableVideoError as error:
            assert str(source) in str(error), number
            outcomes.add("bad")
    assert outcomes == {"healthy", "truncated", "bad"}


def test_one_frame_is_too_few_unless_allowed(tmp_path):
    source = write_video(tmp_path / "still.mp4", 1)
    with pytest.raises(
        UnreadableVideoError, match=r"still\.mp4.*1 decodable frame, fewer than min_frames = 2"
    ):
        resize(source)
    path, facts = resize(source, ResizeConfig(short_side=64, min_frames=1))
    assert facts["frames"] == 1
    assert read_barcodes(all_frames(path)) == [0]


def test_sound_only_is_a_failure(tmp_path):
    with pytest.raises(UnreadableVideoError, match="no video stream"):
        resize(write_audio_only(tmp_path / "a.mp4"))


def test_a_full_disk_is_reported_as_such_and_leaves_nothing(tmp_path, monkeypatch):
    def write(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer.VideoWriter, "write", write)
    with pytest.raises(OSError, match="No space left") as caught:
        resize(write_video(tmp_path / "a.mp4"))
    assert not isinstance(caught.value, UnreadableVideoError)
    assert not (tmp_path / "resized.mp4").exists()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_real_rotated_clips_come_out_upright(tmp_path, degrees):
    source = real_clip(f"video_{degrees}.mov")
    facts = resize_video(source, tmp_path / "a.mp4", ResizeConfig())
    frames = all_frames(tmp_path / "a.mp4")
    upright = read_frames(source, range(3), reader="decord")  # decord turns frames by itself
    assert (facts["width"], facts["height"]) == ((454, 256) if degrees in {0, 180} else (256, 454))
    for frame, expected in zip(frames, upright, strict=True):
        resized = Image.fromarray(expected).resize((frame.shape[1], frame.shape[0]), Image.Resampling.BICUBIC)
        assert np.abs(frame.astype(int) - np.asarray(resized)).mean() < 4


def test_real_damaged_clip(tmp_path):
    facts = resize_video(real_clip("corrupted.mp4"), tmp_path / "a.mp4", ResizeConfig())
    assert (facts["verdict"], facts["frames"]) == ("truncated", 28)


def test_real_unordered_and_matroska_clips(tmp_path):
    facts = resize_video(real_clip("unordered.mov"), tmp_path / "a.mp4", ResizeConfig())
    assert (facts["verdict"], facts["frames"], facts["width"]) == ("healthy", 4, 256)
    facts = resize_video(real_clip("flipping_a_pancake.mkv"), tmp_path / "b.mp4", ResizeConfig())
    assert (facts["verdict"], facts["frames"], facts["width"], facts["height"]) == ("healthy", 310, 454, 256)
