"""Quality at equal bits: trained tokenizers beside codecs that nobody trained."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
from vidrep_pipelines.evaluation.reconstruction.config import CodecName, ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.plain_codecs import clips_at_budgets
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import structural_similarity
from vidrep_pipelines.fanout.manifest import FIXED
from vidrep_pipelines.fanout.parts import Parts

RUN_PARTS = ("contender", "rate", "seed")
"""What the parts of an item's id mean: ``<codes>/<rate>/<seed>``."""

METRICS = {"psnr": "PSNR, dB", "ssim": "SSIM"}


def budgets_of(rates: Iterable[float], further: int) -> FloatArray:
    """Bits per pixel at which plain codecs are measured, ascending: those of the tokenizers, and more.

    Args:
        rates: Bits per pixel of the tokenizers.
        further: How many more for a curve, from two thirds of the lowest to three times the highest.
    """
    needed = sorted(set(rates))
    more = np.geomspace(needed[0] / 1.5, needed[-1] * 3, further)
    budgets: FloatArray = np.unique(np.concatenate([needed, more]))
    return budgets


def floor_values(clips: MeasuredClips, floors: Iterable[CodecName], budgets: FloatArray) -> pd.DataFrame:
    """What plain codecs make of clips within each number of bits.

    Args:
        clips: What is measured.
        floors: The codecs.
        budgets: Bits per pixel.

    Returns:
        Columns contender, budget, id, trajectory, bits_per_pixel (what it took), psnr, ssim, setting.
    """
    rows = [
        {
            "contender": codec,
            "budget": budget,
            "id": facts["id"],
            "trajectory": facts["trajectory"],
            "bits_per_pixel": coded.bits_per_pixel,
            "psnr": coded.psnr,
            "ssim": _similarity(clip, coded.frames),
            "setting": coded.setting,
        }
        for table, frames in clips.batches(1)
        for facts, clip in zip(table.to_dict("records"), frames, strict=True)
        for codec in floors
        for budget, coded in zip(budgets.tolist(), clips_at_budgets(codec, clip, budgets), strict=True)
    ]
    return pd.DataFrame(rows)


def _similarity(clip: Pixels, other: Pixels) -> float:
    real, rebuilt = (torch.from_numpy(frames).movedim(-1, -3).float() / 255 for frames in (clip, other))
    return float(structural_similarity(real, rebuilt).mean())


def tokenizer_values(runs: Parts) -> pd.DataFrame:
    """One row per run and clip: ``RUN_PARTS``, and what was measured of it."""
    parts = {item: pd.read_parquet(runs.path(item)) for item in runs.ids}
    values = pd.concat(parts, names=["item"]).reset_index(level="item").reset_index(drop=True)
    return pd.concat([_named(values["item"]), values.drop(columns="item")], axis=1)


def code_use(runs: Parts) -> pd.DataFrame:
    """One row per run: ``RUN_PARTS``, how its codes are used, and its quality on held-out clips."""
    succeeded = runs.table[runs.table["status"] == "ok"].reset_index(drop=True)
    facts = succeeded.drop(columns=[name for name in FIXED.names if name in succeeded])
    return pd.concat([_named(succeeded["id"]), facts.astype(float)], axis=1)


def _named(ids: "pd.Series[str]") -> pd.DataFrame:
    return ids.str.split("/", expand=True).set_axis(list(RUN_PARTS), axis=1).astype({"seed": int})


def summarize_rates(
    tokenizers: pd.DataFrame, floors: pd.DataFrame, config: ReconstructionEvaluationConfig
) -> pd.DataFrame:
    """Means over clips at each rate of the tokenizers, all contenders beside one another.

    A clip counts once, by its mean over seeds; whole trajectories are resampled.

    Args:
        tokenizers: Rows of the measured split: contender, rate, seed, budget, id, trajectory, bits_per_pixel
            (of codes of equal length: the budget), entropy_bits_per_pixel, psnr, ssim.
        floors: See :func:`floor_values`.
        config: Confidence, resamples and seed of the intervals.

    Returns:
        One row per rate, metric and contender: rate, budget, measure (both in words), metric, contender,
        value, low, high, clips, seeds, seeds_low and seeds_high (the mean of the worst and the best seed),
        bits_per_pixel and entropy_bits_per_pixel (means), floor (the best plain codec at this rate), and
        ahead, ahead_low, ahead_high: the contender less that floor, on the same clips.
    """
    rows: list[dict[str, Any]] = []
    for rate, own in tokenizers.groupby("rate", sort=False):
        budget = float(own["budget"].iloc[0])
        beside = floors[np.isclose(floors["budget"].to_numpy(np.float64), budget)]
        everyone = pd.concat([own, beside.assign(seed=0, entropy_bits_per_pixel=beside["bits_per_pixel"])])
        for metric, words in METRICS.items():
            means = beside.groupby("contender")[metric].mean()
            floor = str(means.idxmax()) if len(means) else ""
            titled = {"rate": rate, "budget": budget, "measure": f"{words}, at {budget:.3g} bits per pixel"}
            rows += [{**titled, **row} for row in _compared(everyone, metric, floor, config)]
    return pd.DataFrame(rows).sort_values("budget", kind="stable").reset_index(drop=True)


def _compared(
    values: pd.DataFrame, metric: str, floor: str, config: ReconstructionEvaluationConfig
) -> Iterator[dict[str, Any]]:
    clips = values.pivot_table(index=["trajectory", "id"], columns="contender", values=metric, sort=False)
    for name, own in values.groupby("contender", sort=False):
        seeds = own.groupby("seed")[metric].mean()
        value, low, high = _interval(clips[name], config)
        ahead = _interval(clips[name] - clips[floor], config) if floor else (np.nan,) * 3
        yield {
            "metric": metric,
            "contender": name,
            **{"value": value, "low": low, "high": high},
            "clips": int(clips[name].notna().sum()),
            **{"seeds": len(seeds), "seeds_low": seeds.min(), "seeds_high": seeds.max()},
            "bits_per_pixel": float(own["bits_per_pixel"].mean()),
            "entropy_bits_per_pixel": float(own["entropy_bits_per_pixel"].mean()),
            "floor": floor,
            **dict(zip(("ahead", "ahead_low", "ahead_high"), ahead, strict=True)),
        }


def _interval(
    clips: "pd.Series[float]", config: ReconstructionEvaluationConfig
) -> tuple[float, float, float]:
    groups = [np.asarray(values, np.float64) for _, values in clips.dropna().groupby("trajectory")]
    if len(groups) < 2:
        return float(clips.mean()), float("nan"), float("nan")
    interval = confidence_interval(
        mean_over_members(groups), len(groups), config.confidence, config.resamples, config.seed
    )
    return interval.value, interval.low, interval.high
