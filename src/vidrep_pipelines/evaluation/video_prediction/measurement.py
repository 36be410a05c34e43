"""Predicts clips and measures the predictions frame by frame, beside floors and a ceiling."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance
from vidrep_pipelines.evaluation.reconstruction.networks import (
    MIN_CLIP_FRAMES,
    MetricNetworks,
    load_networks,
)
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import (
    peak_signal_to_noise_ratio,
    structural_similarity,
    to_range,
)
from vidrep_pipelines.evaluation.video_prediction.clips import PredictedClips
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.system import (
    PREDICTORS,
    MeasuredSystem,
    predictions_of,
)

HIGHEST_PSNR = 60.0
"""Decibels. Of frames that are more alike, such as a copy of a frame after which nothing moves yet, the ratio
would be infinite, and so would every mean with it; rounding to 256 levels alone costs all beyond 59."""

ALL_DATA = "all"
"""Stands for all data sets together."""

FACTS = ["id", "trajectory", "robot"]


@dataclass(frozen=True)
class VideoMeasures:
    """What was measured.

    Attributes:
        values: One row per clip, seed, predictor and frame: id, trajectory, robot, seed, predictor, horizon
            (1 is the first predicted frame), psnr, ssim, and lpips where its network is there.
        motion: One row per clip, seed and predictor: energy and true_energy, see :func:`energy_of_motion`.
        losses: One row per clip, seed, predictor (with and without text) and noise level: noise, loss.
        distances: One row per data set and predictor: robot, predictor, fvd; empty without its network.
        skipped: One line per metric that was left out, with the reason.
    """

    values: pd.DataFrame
    motion: pd.DataFrame
    losses: pd.DataFrame
    distances: pd.DataFrame
    skipped: tuple[str, ...]


def energy_of_motion(video: Tensor) -> Tensor:
    """Mean squared difference between a frame and the next, (N,), of videos (N, F, 3, H, W)."""
    return (video[:, 1:] - video[:, :-1]).square().mean((1, 2, 3, 4))


def _numbers(values: Tensor) -> FloatArray:
    numbers: FloatArray = values.double().cpu().numpy().reshape(-1)
    return numbers


def _too_short(frames: int) -> str:
    return (
        f"The Frechet video distance is not available: predictions have {frames} frames, its network needs "
        f"{MIN_CLIP_FRAMES}."
    )


@torch.inference_mode()
def measure_videos(
    clips: PredictedClips, system: MeasuredSystem, config: VideoEvaluationConfig, device: torch.device
) -> VideoMeasures:
    """Predicts all clips with every seed, and measures.

    Args:
        clips: What is predicted.
        system: By what.
        config: How it is measured.
        device: Where the measures are computed.

    Raises:
        InputError: Frames are too small for a metric, or of another size than the model's.
    """
    long_enough = system.frames >= MIN_CLIP_FRAMES
    networks = load_networks(config.metrics, device, ("lpips", "fvd") if long_enough else ("lpips",))
    skipped = (*networks.skipped, *(() if long_enough else (_too_short(system.frames),)))
    measured = _Measurement(system, config, networks, skipped)
    with Progress(len(clips) * len(config.seeds), "video prediction", "clip") as progress:
        for rows, frames in clips.batches(config.batch_size):
            truth = torch.from_numpy(frames).to(device).movedim(-1, -3).float() / 255
            for seed in config.seeds:
                measured.add(rows, truth, seed)
                progress.advance(len(rows))
    return measured.report()


@dataclass
class _Measurement:
    system: MeasuredSystem
    config: VideoEvaluationConfig
    networks: MetricNetworks
    skipped: tuple[str, ...]
    _tables: dict[str, list[pd.DataFrame]] = field(
        default_factory=lambda: {"values": [], "motion": [], "losses": []}
    )
    _features: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)
    _robots: list[str] = field(default_factory=list)

    def add(self, rows: pd.DataFrame, truth: Tensor, seed: int) -> None:
        """Measures a batch of clips (B, F, 3, H, W) with one seed."""
        texts = rows["text"].tolist()
        seeds = [seed_for(seed, name) for name in rows["id"]]
        facts = rows[FACTS].assign(seed=seed)
        videos = predictions_of(self.system, truth, texts, seeds)
        true_energy = energy_of_motion(truth)
        for name, video in videos.items():
            ranged = to_range(video, self.config.metrics.pixel_range)
            own = facts.assign(predictor=name)
            self._tables["values"].append(self._frame_values(own, truth, ranged))
            energies = {"energy": energy_of_motion(ranged), "true_energy": true_energy}
            self._tables["motion"].append(own.assign(**{k: _numbers(v) for k, v in energies.items()}))
        for name, losses in self.system.noise_losses(truth, texts, seeds).items():
            self._tables["losses"].append(self._loss_rows(facts.assign(predictor=name), losses))
        if seed == self.config.seeds[0]:
            self._add_features(rows["robot"].tolist(), {"truth": truth, **videos})

    def _frame_values(self, facts: pd.DataFrame, truth: Tensor, video: Tensor) -> pd.DataFrame:
        real, other = truth[:, 1:], video[:, 1:]
        measures = {
            "psnr": peak_signal_to_noise_ratio(real, other).clamp(max=HIGHEST_PSNR),
            "ssim": structural_similarity(real, other),
        }
        if self.networks.perceptual:
            distances = self.networks.perceptual(real.flatten(0, 1), other.flatten(0, 1))
            measures["lpips"] = distances.reshape(real.shape[:2])
        horizons = np.arange(1, truth.shape[1])
        table = facts.loc[facts.index.repeat(len(horizons))].reset_index(drop=True)
        columns = {name: _numbers(value) for name, value in measures.items()}
        return table.assign(horizon=np.tile(horizons, len(facts)), **columns)

    def _loss_rows(self, facts: pd.DataFrame, losses: Tensor) -> pd.DataFrame:
        levels = self.system.noise_levels
        table = facts.loc[facts.index.repeat(len(levels))].reset_index(drop=True)
        return table.assign(noise=np.tile(levels, len(facts)), loss=_numbers(losses))

    def _add_features(self, robots: list[str], videos: Mapping[str, Tensor]) -> None:
        network = self.networks.clips
        if network is None:
            return
        self._robots += robots
        for name, video in videos.items():
            features = network.features(video.clamp(0, 1)).float().cpu().numpy()
            self._features.setdefault(name, []).append(features)

    def report(self) -> VideoMeasures:
        tables = {name: pd.concat(parts, ignore_index=True) for name, parts in self._tables.items()}
        return VideoMeasures(**tables, distances=self._distances(), skipped=self.skipped)

    def _distances(self) -> pd.DataFrame:
        features = {name: np.concatenate(parts) for name, parts in self._features.items()}
        robots = np.array(self._robots)
        rows: list[dict[str, Any]] = []
        for robot in [ALL_DATA, *sorted(set(self._robots))] if features else []:
            mask = np.ones(len(robots), bool) if robot == ALL_DATA else robots == robot
            for name in PREDICTORS if mask.sum() >= 2 else ():
                value = frechet_distance(features["truth"][mask], features[name][mask])
                rows.append({"robot": robot, "predictor": name, "fvd": value, "clips": int(mask.sum())})
        return pd.DataFrame(rows, columns=["robot", "predictor", "fvd", "clips"])
