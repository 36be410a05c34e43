"""Measures reconstructions, batch by batch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.feature_cache import FeatureCache
from vidrep_pipelines.evaluation.reconstruction.frechet import FeaturePair
from vidrep_pipelines.evaluation.reconstruction.networks import MIN_CLIP_FRAMES, MetricNetworks
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import (
    peak_signal_to_noise_ratio,
    structural_similarity,
    to_range,
)

OVERALL = "all"
_NO_METRICS = ("id", "trajectory", "robot", "frames")


def metric_summary(
    videos: pd.DataFrame,
    pairs: Mapping[str, tuple[FeaturePair, NDArray[np.integer[Any]]]],
    config: ReconstructionEvaluationConfig,
) -> pd.DataFrame:
    """Means over clips, every clip counting once, and Frechet distances.

    Args:
        videos: One row per clip: id, trajectory, robot, frames, and one column per metric.
        pairs: Features, and how many samples each clip has among them, by name of the distance.
        config: Confidence, resamples and seed of the intervals.

    Returns:
        Columns robot (``all`` first), metric, value, low, high, videos. Frechet distances have no interval:
        resampling repeats clips, which makes every distance larger. Groups of too few clips have none.
    """
    rows: list[dict[str, Any]] = []
    for robot, mask in _groups(videos):
        counted = {"robot": robot, "videos": int(mask.sum())}
        for name in videos.columns.drop(list(_NO_METRICS)):
            value, low, high = _mean(videos[mask], name, config)
            rows.append({**counted, "metric": name, "value": value, "low": low, "high": high})
        for name, (pair, samples) in pairs.items() if mask.sum() >= config.frechet_clips else ():
            value = pair.distance(np.repeat(mask, samples))
            rows.append({**counted, "metric": name, "value": value, "low": np.nan, "high": np.nan})
    return pd.DataFrame(rows, columns=["robot", "metric", "value", "low", "high", "videos"])


def _groups(videos: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield OVERALL, np.ones(len(videos), bool)
    for robot in sorted(set(videos["robot"]) - {""}):
        yield robot, (videos["robot"] == robot).to_numpy()


def _mean(
    videos: pd.DataFrame, metric: str, config: ReconstructionEvaluationConfig
) -> tuple[float, float, float]:
    """Mean, low and high; whole trajectories are resampled.

    There is no interval where a single trajectory, or the infinite value of identical frames, leaves nothing
    to estimate.
    """
    groups = [values.to_numpy(np.float64) for _, values in videos.groupby("trajectory")[metric]]
    mean = float(videos[metric].mean())
    if len(groups) < 2 or not np.isfinite(mean):
        return mean, float("nan"), float("nan")
    interval = confidence_interval(
        mean_over_members(groups), len(groups), config.confidence, config.resamples, config.seed
    )
    return mean, interval.low, interval.high


@dataclass(frozen=True)
class ReconstructionReport:
    """What was measured.

    Attributes:
        videos: One row per clip: id, trajectory, robot, frames, psnr, ssim, and lpips where its network is
            there; each the mean over the clip's frames.
        summary: One row per group and metric, see :func:`metric_summary`.
        skipped: One line per metric that was left out, with the reason.
        remarks: One line per metric that is not computed with the published file.
    """

    videos: pd.DataFrame
    summary: pd.DataFrame
    skipped: tuple[str, ...]
    remarks: tuple[str, ...] = ()


class ReconstructionMeasurement:
    """Collects values over batches of any size.

    Args:
        config: Pixel range and intervals.
        networks: The networks that are there.
        cache: Where features of real clips are kept. Clips must then come in the order that its content
            digest stands for.
    """

    def __init__(
        self,
        config: ReconstructionEvaluationConfig,
        networks: MetricNetworks,
        cache: FeatureCache | None = None,
    ) -> None:
        self._config, self._networks, self._skipped = config, networks, list(networks.skipped)
        self._clips = FeaturePair(networks.clips, cache) if networks.clips else None
        self._frames = FeaturePair(networks.frames, cache) if networks.frames else None
        self._rows: list[pd.DataFrame] = []

    @torch.inference_mode()
    def add(self, clips: pd.DataFrame, real: Tensor, reconstruction: Tensor) -> None:
        """Measures a batch.

        Args:
            clips: One row per clip: id, trajectory (clips of one depend on one another), robot (what is
                reported together).
            real: (B, T, 3, H, W) float32 in 0..1.
            reconstruction: The same shape; may leave 0..1.

        Raises:
            InputError: The shapes differ, or pictures are too small for SSIM.
        """
        if real.shape != reconstruction.shape or real.ndim != 5:
            raise InputError(
                f"Clips are {tuple(real.shape)}, their reconstructions {tuple(reconstruction.shape)}; both "
                "must be (B, T, 3, H, W)."
            )
        other = to_range(reconstruction, self._config.pixel_range)
        values = {
            "psnr": peak_signal_to_noise_ratio(real, other).mean(1),
            "ssim": structural_similarity(real, other).mean(1),
        }
        if self._networks.perceptual:
            distances = self._networks.perceptual(real.flatten(0, 1), other.flatten(0, 1))
            values["lpips"] = distances.reshape(real.shape[:2]).mean(1)
        columns = {name: value.double().cpu().numpy() for name, value in values.items()}
        facts = clips[["id", "trajectory", "robot"]].reset_index(drop=True)
        self._rows.append(facts.assign(frames=real.shape[1], **columns))
        self._add_features(real, other)

    def report(self) -> ReconstructionReport:
        """Puts everything together.

        Raises:
            InputError: Nothing was measured.
        """
        if not self._rows:
            raise InputError("There are no clips to measure. Remedy: see the split and its selection.")
        videos = pd.concat(self._rows, ignore_index=True)
        repeats = videos["frames"].to_numpy()
        pairs = {"fvd": (self._clips, np.ones_like(repeats)), "fid": (self._frames, repeats)}
        present = {name: (pair, counts) for name, (pair, counts) in pairs.items() if pair is not None}
        for pair, _ in present.values():
            pair.finish()
        summary = metric_summary(videos, present, self._config)
        self._skipped += [
            f"{name} is left out: {len(videos)} clips are fewer than reconstruction.frechet_clips = "
            f"{self._config.frechet_clips}, below which the distance tells more of their number than of the "
            "model. Remedy: measure more clips, or lower that number and compare equal numbers only."
            for name in (present if len(videos) < self._config.frechet_clips else ())
        ]
        return ReconstructionReport(videos, summary, tuple(self._skipped), self._networks.remarks)

    def _add_features(self, real: Tensor, other: Tensor) -> None:
        if self._clips and real.shape[1] < MIN_CLIP_FRAMES:
            self._clips = None
            self._skipped.append(
                f"The Frechet video distance is left out: clips of {real.shape[1]} frames are too short, its "
                f"network needs {MIN_CLIP_FRAMES}."
            )
        if self._clips:
            self._clips.add(real, other)
        if self._frames:
            self._frames.add(real.flatten(0, 1), other.flatten(0, 1))
