import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.videos import read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.config import FineGymConfig
from vidrep_pipelines.data.sources.long_videos.event_cut import (
    CutRequest,
    _constant_rate,
    cut_event,
    cut_requests,
)
from vidrep_pipelines.data.sources.long_videos.finegym import Event
from vidrep_pipelines.data.video.decode import count_frames, read_frames

SMALL = FineGymConfig(event_width=96, event_height=64)


def an_event(start: float, end: float, name: str = "v_E_1_2") -> Event:
    return Event(name, name.split("_E_", maxsplit=1)[0], start, end, 1, ())


def cut(
    path: Path, start: float, end: float, config: FineGymConfig = SMALL
) -> tuple[list[int], dict[str, object]]:
    out = path.with_name("cut.mp4")
    facts = cut_event(CutRequest(an_event(start, end), path, config), {".mp4": out})
    frames = read_frames(out, range(count_frames(out)))
    assert frames.shape[1:] == (config.event_height, config.event_width, 3)
    return read_barcodes(frames), dict(facts)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.4), (0.52, 1.2), (1.0, 1.52), (2.2, 3.0)])
def test_starts_at_the_frame_and_not_at_the_keyframe_before(
    tmp_path: Path, suffix: str, start: float, end: float
) -> None:
    path = write_video(tmp_path / f"v.{suffix}", 75, options={"g": "25"})
    shown, facts = cut(path, start, end)
    assert shown == list(range(round(start * 25), round(end * 25)))
    assert facts == {"frames": len(shown), "frames_per_second": 25.0, "missing_seconds": 0.0}


def test_webm(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.webm", 50, codec="libvpx-vp9", options={"g": "20"})
    assert cut(path, 0.4, 0.8)[0] == list(range(10, 20))


@pytest.mark.parametrize("rate", [12, 30, 50])
def test_other_rates_keep_the_time(tmp_path: Path, rate: int) -> None:
    path = write_video(tmp_path / "v.mp4", 4 * rate, rate=rate, options={"g": "40"})
    shown, _ = cut(path, 1.0, 3.0)
    assert len(shown) == 50
    wanted = rate + np.arange(50) / 25 * rate
    assert np.abs(np.array(shown) - wanted).max() <= max(rate / 25, 1)
    assert shown == sorted(shown)


@given(
    st.lists(st.floats(0, 4), min_size=1, max_size=40, unique=True).map(sorted),
    st.integers(1, 30),
    st.integers(1, 60),
)
def test_every_place_shows_the_last_frame_up_to_it(times: list[float], rate: int, count: int) -> None:
    timed = [(time, number) for number, time in enumerate(times)]
    shown = list(_constant_rate(iter(timed), Fraction(rate), count))
    places = [math.floor(time * rate + 0.5) for time in times]
    expected = [
        max([n for n, place in enumerate(places) if place <= slot], default=0) for slot in range(count)
    ]
    assert shown == expected[: max(places[-1], 0) + 1]


def test_video_that_is_too_short(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 30)
    shown, facts = cut(path, 0.8, 2.0)
    assert shown == list(range(20, 30))
    assert facts["missing_seconds"] == pytest.approx(0.8)
    with pytest.raises(InputError, match=r"v\.mp4 ends before 5.0 s"):
        cut(path, 5.0, 6.0)
    with pytest.raises(InputError, match=r"lasts from 2.0 s to 1.0 s"):
        cut(path, 2.0, 1.0)


def test_size_rate_and_profile_are_those_asked_for(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 30, options={"g": "25"})
    config = FineGymConfig(event_width=64, event_height=48, event_frames_per_second=5)
    shown, facts = cut(path, 0.0, 1.0, config)
    assert shown == [2, 7, 12, 17, 22]  # the last ones within half a frame time of each place
    assert facts["frames_per_second"] == 5.0


def test_missing_videos_are_listed(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", 4)
    chosen = [("train", an_event(0, 1)), ("validation", an_event(0, 1)), ("train", an_event(0, 1, "w_E_1_2"))]
    requests, left_out = cut_requests(chosen, tmp_path, SMALL)
    assert [request.path.name for request in requests] == ["v.mkv"]
    ((name, split, reason),) = left_out
    assert (name, split) == ("train/w_E_1_2", "train")
    assert "the video w is missing" in reason


@pytest.mark.parametrize("name", ["v.mp4.webm", "v.MP4", "v.mp4.MKV"])
def test_doubled_suffixes_and_capital_letters(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / f"._{name}").touch()
    requests, left_out = cut_requests([("train", an_event(0, 1))], tmp_path, SMALL)
    assert [request.path.name for request in requests] == [name]
    assert not left_out


def test_digest_follows_event_file_and_form_but_not_labels(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 4)
    first = CutRequest(an_event(0, 1), path, SMALL)
    other_classes = CutRequest(an_event(0, 1), path, SMALL.model_copy(update={"classes": 288}))
    assert first.digest == other_classes.digest
    wider = CutRequest(an_event(0, 1), path, SMALL.model_copy(update={"event_width": 128}))
    longer = CutRequest(an_event(0, 2), path, SMALL)
    digests = {first.digest, wider.digest, longer.digest}
    os.utime(path, ns=(1, 1))
    assert len(digests | {first.digest}) == 4
