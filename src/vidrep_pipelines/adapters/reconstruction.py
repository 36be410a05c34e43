"""A published VQ-VAE as the measurement of reconstructions sees it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.evaluation import evaluate_reconstruction
from vidrep_pipelines.evaluation.reconstruction.measurement import ReconstructionReport
from vidrep_pipelines.models.layers.vector_quantizer import code_counts
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import choose_device

Report = tuple[ReconstructionReport, list[int]]


def measure(
    checkpoint: Checkpoint,
    clips: MeasuredClips,
    config: ReconstructionEvaluationConfig,
    launch: LaunchConfig,
    batch_size: int,
    cache: Path,
) -> Report:
    """Reconstructs and measures the clips; also counts how often each code is used."""
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


def weights_digest(checkpoint: Checkpoint) -> str:
    """Of the weights and of what rebuilds the model."""
    return digest_of(digest_of_file(checkpoint.weights), checkpoint.config)


def model_config(checkpoint: Checkpoint) -> VqvaeModelConfig:
    """The architecture."""
    return VqvaeModelConfig.model_validate(checkpoint.config["model"])


def label(task: dict[str, Any]) -> str:
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
