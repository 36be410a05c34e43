"""The loss of CARL and of the baselines, from what the model makes of a batch of excerpts."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vidrep_pipelines.models.carl.config import CarlObjectiveConfig
from vidrep_pipelines.models.carl.losses import (
    cycle_consistency,
    frame_classification,
    sequence_contrast,
    time_contrast,
)

Gather = Callable[[Tensor], Tensor]
Average = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Excerpts:
    """Where the frames of a batch come from.

    Attributes:
        positions: (B, V, T) positions in the video, in frames.
        lengths: (B, V) frames of the video.
        mask: (B, V, T) 1 for real frames, 0 for padding.
        labels: (B, V, T) phases, negative where there is none; only for classification.
        items: (B,) numbers of the samples in the data set; only for gathered negatives.
    """

    positions: Tensor
    lengths: Tensor
    mask: Tensor
    labels: Tensor | None = None
    items: Tensor | None = None


@dataclass(frozen=True)
class CarlLosses:
    """The loss, and detached scalars to log."""

    loss: Tensor
    metrics: dict[str, Tensor]


def carl_objective(
    outputs: Tensor,
    excerpts: Excerpts,
    config: CarlObjectiveConfig,
    gather: Gather | None = None,
    mean_across_ranks: Average = Tensor.detach,
) -> CarlLosses:
    """Computes the configured loss.

    Losses that are means over real frames weigh every frame of an update alike, also when the processes have
    different numbers of them.

    Args:
        outputs: (B, V, T, D) from the model: projections, embeddings, or logits. The two excerpts of a video
            follow one another (V is even) for sequence contrast; cycles go between all V of a sample.
        excerpts: Where the frames come from.
        config: The loss and its weights.
        gather: Concatenates tensors of all processes, for gathered negatives.
        mean_across_ranks: Mean over the samples of all processes from that over this one's, without gradient.
    """
    match config.name:
        case "scl":
            contrast = _sequence_contrast(outputs, excerpts, config, gather)
            return _frames_weighed_alike(contrast, excerpts.mask, mean_across_ranks)
        case "tcc":
            return _cycle_consistency(outputs, excerpts, config)
        case "tcn":
            return CarlLosses(time_contrast(outputs.flatten(0, 1), norm_weight=config.norm_weight), {})
        case "classification":
            assert excerpts.labels is not None
            loss, accuracy = frame_classification(
                *(value.flatten(0, 1) for value in (outputs, excerpts.labels, excerpts.mask))
            )
            labelled = excerpts.mask * (excerpts.labels >= 0)
            return _frames_weighed_alike(
                CarlLosses(loss, {"accuracy": accuracy}), labelled, mean_across_ranks
            )


def _frames_weighed_alike(losses: CarlLosses, counted: Tensor, mean_across_ranks: Average) -> CarlLosses:
    """Turns a mean over this process's frames into its share of the mean over those of all processes.

    Args:
        losses: The mean.
        counted: (B, V, T) 1 for frames that it is over.
        mean_across_ranks: Mean over the samples of all processes.
    """
    count = counted.sum().float().clamp_min(1) / len(counted)
    return CarlLosses(losses.loss * (count / mean_across_ranks(count)), losses.metrics)


def _sequence_contrast(
    outputs: Tensor, excerpts: Excerpts, config: CarlObjectiveConfig, gather: Gather | None
) -> CarlLosses:
    pairs, positions, lengths, mask = (
        torch.unflatten(value.flatten(0, 1), 0, (-1, 2))
        for value in (outputs, excerpts.positions, excerpts.lengths, excerpts.mask)
    )
    others = None
    if config.gather_negatives and gather is not None:
        others = _frames_of_other_processes(outputs, excerpts, gather)
    loss = sequence_contrast(
        pairs,
        positions,
        lengths,
        mask,
        temperature=config.temperature,
        variance=config.label_variance,
        negatives=config.negatives,
        others=others,
    )
    metrics = {"time_error": _time_error(pairs.detach(), positions, mask), "real_share": mask.float().mean()}
    return CarlLosses(loss, metrics)


def _frames_of_other_processes(outputs: Tensor, excerpts: Excerpts, gather: Gather) -> Tensor:
    """(M, D) real frames of the samples that this process does not have itself, without gradient."""
    assert excerpts.items is not None
    everyone = gather(excerpts.items)
    foreign = torch.isin(everyone, excerpts.items, invert=True)
    frames, real = gather(outputs.detach().contiguous())[foreign], gather(excerpts.mask)[foreign]
    return frames[real.bool()]


def _time_error(pairs: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
    """Frames between a real frame and what its most similar real frame in the other excerpt shows, mean."""
    similarity = pairs[:, 0].float() @ pairs[:, 1].float().transpose(1, 2)
    nearest = similarity.masked_fill(~mask[:, 1].bool()[:, None], -torch.inf).argmax(dim=2)
    distance = (positions[:, 1].gather(1, nearest) - positions[:, 0]).abs().float()
    return (distance * mask[:, 0]).sum() / mask[:, 0].sum().clamp_min(1)


def _cycle_consistency(outputs: Tensor, excerpts: Excerpts, config: CarlObjectiveConfig) -> CarlLosses:
    cycles = [
        cycle_consistency(
            embeddings,
            positions,
            lengths,
            loss=config.cycle_loss,
            similarity=config.similarity,
            temperature=config.temperature,
            label_smoothing=config.label_smoothing,
            variance_weight=config.variance_weight,
            normalize_time=config.normalize_time,
        )
        for embeddings, positions, lengths in zip(outputs, excerpts.positions, excerpts.lengths, strict=True)
    ]
    return CarlLosses(
        torch.stack([result.loss for result in cycles]).mean(),
        {
            "squared_error": torch.stack([result.squared_error for result in cycles]).mean(),
            "log_variance": torch.stack([result.log_variance for result in cycles]).mean(),
        },
    )
