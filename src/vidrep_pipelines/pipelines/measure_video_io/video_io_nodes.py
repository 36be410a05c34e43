"""Nodes of the video input/output measurement."""

import logging
from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video_io_measurement.config import MeasureVideoIoConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.video_items import video_items

_log = logging.getLogger(__name__)


def choose_measured_clips(index: Rows, measurement: MeasureVideoIoConfig) -> pd.DataFrame:
    """A few of the videos that can be opened."""
    from vidrep_pipelines.data.video_io_measurement.clip_choice import choose_clips

    return choose_clips(index, measurement.clips, measurement.seed)


def encode_clips(
    clips: pd.DataFrame, measurement: MeasureVideoIoConfig, resize: ResizeConfig, fanout: FanOutConfig
) -> Job:
    """One item per clip: the clip in every encoding, with sizes, quality and effort."""
    from vidrep_pipelines.data.video_io_measurement.encoding import encode_item, product_suffixes

    what = (resize.short_side, measurement.max_frames, measurement.encodings)
    items = video_items(clips, lambda path: (path, resize.short_side, measurement), *what)
    return Job("encodings", encode_item, items, product_suffixes(measurement), fanout)


def time_access(encoded: Parts, measurement: MeasureVideoIoConfig) -> pd.DataFrame:
    """Reads random frame pairs of every clip and encoding through every reader."""
    from vidrep_pipelines.common.errors import InputError
    from vidrep_pipelines.data.video_io_measurement.access_times import EncodedClip, measure_access
    from vidrep_pipelines.data.video_io_measurement.encoding import suffix_of

    for name, error in encoded.failed[["id", "error"]].itertuples(index=False):
        _log.warning("measure_video_io leaves out %s: %s", name, error)
    good = encoded.table[encoded.table["status"] == "ok"]
    if good.empty:
        raise InputError(
            f"None of the {len(encoded.table)} videos that measure_video_io chose can be decoded. Remedy: "
            "raise measure_video_io.clips or change its seed, so that others are tried."
        )
    clips = [
        EncodedClip(name, choice.name, encoded.path(name, suffix_of(choice)), int(frames))
        for name, frames in good[["id", "frames"]].itertuples(index=False)
        for choice in measurement.encodings
    ]
    return measure_access(clips, measurement)


def summarize_video_io(
    encoded: Parts, times: pd.DataFrame, measurement: MeasureVideoIoConfig, resize: ResizeConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One row per encoding, and the same as plain data with what it was measured on."""
    from vidrep_pipelines.data.video_io_measurement.summary import measurement_report, summarize
    from vidrep_pipelines.reporting.video_io import encoding_table

    good = encoded.table[encoded.table["status"] == "ok"]
    summary = summarize(good, times, measurement)
    _log.info("%d clips, short side %d:\n%s", len(good), resize.short_side, encoding_table(summary))
    left_out: dict[str, str] = dict(encoded.failed[["id", "error"]].itertuples(index=False))
    return summary, measurement_report(summary, good, left_out, measurement, resize.short_side)


def paint_access(summary: pd.DataFrame) -> Image:
    """Reading time against bytes and against the keyframe interval."""
    from vidrep_pipelines.reporting.video_io import access_picture

    return access_picture(summary)
