"""A published VQ-VAE as the measurement of reconstructions sees it."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.evaluation import evaluate_reconstruction
from vidrep_pipelines.evaluation.reconstruction.kept_report import KeptReconstructionReport
from vidrep_pipelines.evaluation.reconstruction.measurement import ReconstructionReport
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.code_counts import code_counts
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
from vidrep_pipelines.models.vqvae.pictures import codebook_report
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import choose_device

MeasuredRun = tuple[ReconstructionReport, list[int]]
"""What was measured, and how often each code was used."""

_log = logging.getLogger(__name__)


def measured_vqvae(
    checkpoint: Checkpoint,
    clips: MeasuredClips,
    config: ReconstructionEvaluationConfig,
    launch: LaunchConfig,
    batch_size: int,
    folder: Path,
) -> MeasuredRun:
    """Reconstructs and measures the clips; what was measured before is read again.

    Args:
        checkpoint: The model.
        clips: What is reconstructed.
        config: Metrics.
        launch: Says on which device.
        batch_size: Clips at once.
        folder: Parent of the kept reports and of the kept features of real clips.

    Raises:
        InputError: There is no clip, one is too small for a metric, or the checkpoint is none of a VQ-VAE.
    """
    kept = KeptReconstructionReport.of(
        folder / "reconstruction_reports", checkpoint.digest, clips.digest, config
    )
    measured = kept.load()
    if measured is None:
        measured = _measure(checkpoint, clips, config, launch, batch_size, folder / "real_features")
        kept.save(*measured)
    else:
        _log.info("reconstruction: up to date (%d clips)", len(clips))
        for line in measured[0].skipped:
            _log.warning("%s", line)
    return measured


def _measure(
    checkpoint: Checkpoint,
    clips: MeasuredClips,
    config: ReconstructionEvaluationConfig,
    launch: LaunchConfig,
    batch_size: int,
    cache: Path,
) -> MeasuredRun:
    device = choose_device(launch)
    trained = TrainedVqvae.load(checkpoint.directory, device)
    size = trained.model.quantizer.size
    counts = torch.zeros(size, dtype=torch.float64)

    def reconstruct(frames: NDArray[np.uint8]) -> Tensor:
        rebuilt, codes = trained.reconstruct(frames)
        counts.add_(code_counts(codes, size).cpu())
        return rebuilt

    report = evaluate_reconstruction(
        clips, reconstruct, config, device=device, batch_size=batch_size, cache=cache
    )
    return report, counts.long().tolist()


def run_record(
    checkpoint: Checkpoint,
    label: str,
    clips: int,
    measured: MeasuredRun,
    config: ReconstructionEvaluationConfig,
) -> dict[str, Any]:
    """A measured run in plain numbers: what it is, its metrics over all robots, and its use of the codes.

    The ends of intervals go by the name of the metric: ``psnr_low``, ``psnr_high``.

    Args:
        checkpoint: The model.
        label: Its short name in charts.
        clips: How many were measured.
        measured: What :func:`measured_vqvae` gave.
        config: Says which pixel range counts.
    """
    report, counts = measured
    summary = report.summary
    rows = summary[(summary["robot"] == "all") & (summary["pixels"] == config.pixel_range)]
    model = VqvaeModelConfig.model_validate(checkpoint.config["model"])
    return {
        "run": str(checkpoint.meta["digest"]),
        "label": label,
        "clips": clips,
        **dict(rows[["metric", "value"]].itertuples(index=False)),
        **{
            f"{metric}_{end}": float(bound)
            for metric, *ends in rows[["metric", "low", "high"]].itertuples(index=False)
            for end, bound in zip(("low", "high"), ends, strict=True)
            if np.isfinite(bound)
        },
        **codebook_report(torch.tensor(counts, dtype=torch.float64), model),
    }


def run_label(task: dict[str, Any]) -> str:
    """A run's short name in charts: decoder, losses, codes."""
    model, objective = task["model"], task["objective"]
    codebook = model["codebook"]
    losses = ["pixel"]
    if objective["perceptual_weight"]:
        stand_in = objective["perceptual_network"] == "random"
        losses.append("perceptual stand-in" if stand_in else "perceptual")
    losses += ["adversarial"] if objective["adversarial"]["weight"] else []
    codes = f"{codebook['size']} {codebook['codes']} {codebook['update']} codes"
    return f"{model['decoder']}, {' + '.join(losses)}, {codes}"


def shown_pairs(checkpoint: Checkpoint, clips: MeasuredClips) -> list[tuple[Tensor, Tensor]]:
    """Clips (T, 3, H, W) and their reconstructions, both nominally in 0..1, on the CPU."""
    trained = TrainedVqvae.load(checkpoint.directory)
    pairs: list[tuple[Tensor, Tensor]] = []
    for _, frames in clips.batches(1):
        original = torch.from_numpy(frames).movedim(-1, -3)[0] / 255
        pairs.append((original, trained.reconstruct(frames)[0][0]))
    return pairs
