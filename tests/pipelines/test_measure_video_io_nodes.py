"""Nodes of the measurement: what they hand to the domain package."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice, MeasureVideoIoConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.measure_video_io import video_io_nodes

CLIPS = pd.DataFrame(
    {
        "id": ["a", "b"],
        "path": ["/v/a.mp4", "/v/b.mp4"],
        "bytes": [10, 20],
        "mtime_ns": [5, 6],
        "etag": pd.array([None, None], "string"),
    }
)
FANOUT = FanOutConfig(workers=1)


def digests(measurement: MeasureVideoIoConfig, resize: ResizeConfig) -> list[str]:
    return [item.digest for item in video_io_nodes.encode_clips(CLIPS, measurement, resize, FANOUT).items]


def test_clips_are_encoded_again_when_the_result_would_differ() -> None:
    usual, resize = MeasureVideoIoConfig(), ResizeConfig()
    first = digests(usual, resize)
    assert len(set(first)) == 2
    assert digests(usual.model_copy(update={"pairs": 99, "seed": 7, "clips": 9}), resize) == first
    assert digests(usual, resize.model_copy(update={"profile": "small"})) == first
    assert not set(first) & set(digests(usual.model_copy(update={"max_frames": 9}), resize))
    assert not set(first) & set(digests(usual, ResizeConfig(short_side=64)))
    intervals = (EncodingChoice(name="published", profile="published", keyframe_interval=3),)
    assert not set(first) & set(digests(usual.model_copy(update={"encodings": intervals}), resize))


def test_products_are_one_file_per_encoding() -> None:
    job = video_io_nodes.encode_clips(CLIPS, MeasureVideoIoConfig(), ResizeConfig(), FANOUT)
    assert job.suffixes == (".lossless.mp4", ".published.mp4", ".small.mp4", ".train.mp4")


def test_without_a_single_decodable_clip_it_says_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pd.DataFrame(
        {"id": ["a"], "status": ["failed"], "error": ["/v/a.mp4: it is torn"], "frames": [0]}
    )
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match=r"measure_video_io\.clips"):
        video_io_nodes.time_access(Parts(tmp_path, table, ()), MeasureVideoIoConfig())
    assert "leaves out a: /v/a.mp4: it is torn" in caplog.text
