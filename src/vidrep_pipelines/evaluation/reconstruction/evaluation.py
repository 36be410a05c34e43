"""Reconstructs clips and measures them, with the correct pixel range and with the published one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
from vidrep_pipelines.evaluation.reconstruction.config import PixelRange, ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.feature_cache import FeatureCache
from vidrep_pipelines.evaluation.reconstruction.measurement import (
    ReconstructionMeasurement,
    ReconstructionReport,
)
from vidrep_pipelines.evaluation.reconstruction.networks import load_networks

Reconstruct = Callable[[NDArray[np.uint8]], Tensor]
"""Maps clips (B, T, H, W, 3) to their reconstructions (B, T, 3, H, W), nominally in 0..1, unclamped."""


def evaluate_reconstruction(
    clips: MeasuredClips,
    reconstruct: Reconstruct,
    config: ReconstructionEvaluationConfig,
    *,
    device: torch.device,
    batch_size: int,
    cache: Path,
) -> ReconstructionReport:
    """Measures all clips with ``config.pixel_range`` and, where that is another one, ``as_published``.

    Args:
        clips: The clips to be reconstructed.
        reconstruct: The model, from frames to their reconstruction.
        config: How reconstructions are measured.
        device: The device of the metrics' networks.
        batch_size: Clips that are measured at once.
        cache: Folder for the features of real clips.

    Returns:
        Tables with a column ``pixels`` in front, the pixel range.

    Raises:
        InputError: There is no clip, or one is too small for a metric.
    """
    ranges: list[PixelRange] = [config.pixel_range]
    ranges += ["as_published"] if config.pixel_range != "as_published" else []
    networks = load_networks(config, device)
    measurements = {
        pixels: ReconstructionMeasurement(
            config.model_copy(update={"pixel_range": pixels}), networks, FeatureCache(cache, clips.digest)
        )
        for pixels in ranges
    }
    with Progress(len(clips), "reconstruction", "clip") as progress:
        for rows, frames in clips.batches(batch_size):
            real = torch.from_numpy(frames).to(device).movedim(-1, -3).float() / 255
            rebuilt = reconstruct(frames).to(device)
            for measurement in measurements.values():
                measurement.add(rows, real, rebuilt)
            progress.advance(len(rows))
    return _joined({pixels: measurement.report() for pixels, measurement in measurements.items()})


def _joined(reports: dict[PixelRange, ReconstructionReport]) -> ReconstructionReport:
    def joined(tables: dict[PixelRange, pd.DataFrame]) -> pd.DataFrame:
        return pd.concat(tables, names=["pixels"]).reset_index(level="pixels").reset_index(drop=True)

    return ReconstructionReport(
        joined({pixels: report.videos for pixels, report in reports.items()}),
        joined({pixels: report.summary for pixels, report in reports.items()}),
        next(iter(reports.values())).skipped,
        next(iter(reports.values())).remarks,
    )
