"""The measurements as one row per encoding."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice, MeasureVideoIoConfig

READERS = ("decord", "pyav", "index")
"""Ways of reading a pair, from the usual one to ours."""


def summarize(encoded: pd.DataFrame, times: pd.DataFrame, config: MeasureVideoIoConfig) -> pd.DataFrame:
    """Brings sizes, quality, effort and reading times together.

    Args:
        encoded: One row per clip with the facts of ``encode_item``.
        times: The rows of ``measure_access``.
        config: What was measured.

    Returns:
        One row per encoding in the order of the configuration: ``encoding``, ``profile``,
        ``keyframe_interval``, ``b_frames``, ``kilobytes`` (mean per clip), ``psnr`` (mean, decibels),
        ``encode_seconds`` (mean per clip), ``sequential_ms`` (median per frame), ``decoded_frames`` (mean per
        pair), ``decord_ms``, ``pyav_ms``, ``index_ms`` (medians per pair; missing where there is no such
        reader), ``relative_bytes`` (to the first encoding) and ``speedup`` (of the index over the first
        reader that is there, on the first encoding).
    """
    rows = pd.DataFrame([_row(choice, encoded, times) for choice in config.encodings])
    first = rows[[f"{reader}_ms" for reader in READERS]].iloc[0].dropna()
    return rows.assign(
        relative_bytes=rows["kilobytes"] / float(rows["kilobytes"].iloc[0]),
        speedup=float(first.iloc[0]) / rows["index_ms"],
    )


def measurement_report(
    summary: pd.DataFrame,
    clips: pd.DataFrame,
    left_out: Mapping[str, str],
    config: MeasureVideoIoConfig,
    short_side: int,
) -> dict[str, Any]:
    """The summary as plain data, with what it was measured on.

    Args:
        summary: One row per encoding, see :func:`summarize`.
        clips: One row per measured clip: id, frames.
        left_out: Why other clips were not measured, by id.
        config: What was measured.
        short_side: Short side of the clips in pixels.

    Returns:
        Missing values of the summary are None.
    """
    return {
        "clips": clips["id"].tolist(),
        "left_out": dict(left_out),
        "short_side": short_side,
        "frames_per_clip": float(clips["frames"].mean()),
        "pairs_per_cell": len(clips) * config.pairs,
        "clock": "processor time of one thread",
        "encodings": summary.astype(object).where(summary.notna(), None).to_dict(orient="records"),
    }


def _row(choice: EncodingChoice, encoded: pd.DataFrame, times: pd.DataFrame) -> dict[str, Any]:
    own_times = times[times["encoding"] == choice.name]
    pairs = own_times[own_times["access"] == "pair"]
    medians = pairs.groupby("reader")["milliseconds"].median()
    return {
        "encoding": choice.name,
        "profile": choice.profile,
        "keyframe_interval": choice.encoding.keyframe_interval,
        "b_frames": choice.encoding.b_frames,
        "kilobytes": encoded[f"{choice.name}.bytes"].mean() / 1000,
        "psnr": encoded[f"{choice.name}.psnr"].mean(),
        "encode_seconds": encoded[f"{choice.name}.encode_seconds"].mean(),
        "sequential_ms": own_times.loc[own_times["access"] == "sequential", "milliseconds"].median(),
        "decoded_frames": pairs["decoded"].mean(),
        **{f"{reader}_ms": float(medians.get(reader, math.nan)) for reader in READERS},
    }
