"""Losses over embeddings of frames: sequence contrast, cycle consistency, time contrast, classification."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Negatives = Literal["single_noself", "batch_noself", "single", "batch"]
"""What stands in the denominator of a frame: frames of its own video (``single``) or of all videos
(``batch``); those of its own view too, unless ``noself``."""

_MASKED_WEIGHT = 1e-6
_FLOOR = 1e-6
"""Added to a probability before its logarithm, as published; on short clips it moves the loss by 1 %."""


def sequence_contrast(
    embeddings: Tensor,
    steps: Tensor,
    lengths: Tensor,
    mask: Tensor,
    *,
    temperature: float = 0.1,
    variance: float = 10.0,
    negatives: Negatives = "single_noself",
    others: Tensor | None = None,
) -> Tensor:
    """Divergence of the similarities between two views from a Gaussian in time.

    The target of frame i is a Gaussian over the frames of the other view of its video, by their distance in
    time; the prediction is a softmax of similarities. Computed in float32 whatever comes in, because targets
    in half precision do not add up to one.

    Args:
        embeddings: (B, 2, T, D) of unit length.
        steps: (B, 2, T) positions of the frames in their video, in frames.
        lengths: (B, 2) frames of the video.
        mask: (B, 2, T) 1 for real frames, 0 for padding.
        temperature: Divides the similarities, > 0.
        variance: Variance of the Gaussian, in squared frames, > 0.
        negatives: What a frame is contrasted with.
        others: (M, D) frames of further videos, of unit length, for all frames to be contrasted with.

    Returns:
        Scalar, the mean over the real frames; zero if there are none.
    """
    batch, views, frames, width = embeddings.shape
    rows = embeddings.float().reshape(-1, width)
    similarity = rows @ rows.T / temperature
    video = torch.arange(batch, device=rows.device).repeat_interleave(views * frames)
    view = torch.arange(views, device=rows.device).repeat_interleave(frames).repeat(batch)
    same_video = video[:, None] == video[None]
    other_view = same_video & (view[:, None] != view[None])
    real = mask.reshape(-1).bool()
    both_real = real[:, None] & real[None]
    target = _target(steps, lengths, both_real & other_view, variance)
    weights = _denominator_weights(same_video, other_view, negatives)
    log_weights = torch.where(both_real, weights, weights.new_tensor(_MASKED_WEIGHT)).log()
    log_denominator = torch.logsumexp(similarity + log_weights, dim=1, keepdim=True)
    if others is not None and len(others):
        further = torch.logsumexp(rows @ others.float().T / temperature, dim=1, keepdim=True)
        log_denominator = torch.logaddexp(log_denominator, further)
    log_prediction = torch.logaddexp(similarity - log_denominator, similarity.new_tensor(math.log(_FLOOR)))
    divergence = torch.xlogy(target, target) - target * log_prediction
    return divergence.sum() / real.sum().clamp_min(1)


def _target(steps: Tensor, lengths: Tensor, counted: Tensor, variance: float) -> Tensor:
    """(N, N) rows that add up to one, or are zero where a frame has nothing to agree with."""
    times, length = (
        steps.float().reshape(-1),
        lengths.float().repeat_interleave(steps.shape[2], 1).reshape(-1),
    )
    distance = times[:, None] * length[None] / length[:, None] - times[None]
    logits = torch.where(counted, -distance.square() / (2 * variance), -torch.inf)
    return torch.softmax(logits, dim=1).nan_to_num(0.0)


def _denominator_weights(same_video: Tensor, other_view: Tensor, negatives: Negatives) -> Tensor:
    weights = torch.ones(same_video.shape, device=same_video.device)
    if negatives.startswith("single"):
        weights[~same_video] = 0.0
    if negatives.endswith("noself"):
        weights[same_video & ~other_view] = 0.0
    return weights


CycleLoss = Literal["regression_mse_var", "regression_mse", "regression_huber", "classification"]
SimilarityName = Literal["l2", "cosine"]

_SMALLEST_VARIANCE = 1e-12


@dataclass(frozen=True)
class CycleConsistency:
    """Scalars of the loss.

    Attributes:
        loss: What is minimized.
        squared_error: Mean squared error of the time that the cycle returns to.
        log_variance: Mean logarithm of the variance of that time.
    """

    loss: Tensor
    squared_error: Tensor
    log_variance: Tensor


def cycle_consistency(
    embeddings: Tensor,
    steps: Tensor,
    lengths: Tensor,
    *,
    loss: CycleLoss = "regression_mse_var",
    similarity: SimilarityName = "l2",
    temperature: float = 0.1,
    label_smoothing: float = 0.1,
    variance_weight: float = 0.001,
    normalize_time: bool = True,
) -> CycleConsistency:
    """Cycles from every frame of every video through every other video and back.

    Args:
        embeddings: (B, T, D) with B >= 2 videos.
        steps: (B, T) positions of the frames in their video, in frames.
        lengths: (B,) frames of each video.
        loss: What is penalized: the time that a cycle ends at (section 3.2 of the paper), or the frame for
            ``classification``.
        similarity: Negative squared distance, or scalar product.
        temperature: Divides the similarities, together with D.
        label_smoothing: Share of the target spread over all other frames, in [0, 1).
        variance_weight: Weight of the logarithm of the variance.
        normalize_time: Time in units of the video's length instead of frames.
    """
    videos, frames, _ = embeddings.shape
    start, via = _ordered_pairs(videos, embeddings.device)
    rows = embeddings.float()
    there = torch.softmax(_similarity(rows[start], rows[via], similarity, temperature), dim=2)
    logits = _similarity(there @ rows[via], rows[start], similarity, temperature)
    back = torch.softmax(logits, dim=2)
    times = steps.float() / lengths.float()[:, None] if normalize_time else steps.float()
    time = times[start][:, None]
    target = _smoothed_identity(frames, label_smoothing, rows.device)
    true_time, cycle_time = (target * time).sum(2), (back * time).sum(2)
    variance = (back * (time - cycle_time[..., None]).square()).sum(2).clamp_min(_SMALLEST_VARIANCE)
    error, log_variance = (true_time - cycle_time).square(), variance.log()
    match loss:
        case "regression_mse_var":
            value = (error / variance + variance_weight * log_variance).mean()
        case "regression_mse":
            value = error.mean()
        case "regression_huber":
            value = functional.smooth_l1_loss(cycle_time, true_time)
        case "classification":
            value = -(target * torch.log_softmax(logits, dim=2)).sum(2).mean()
    return CycleConsistency(value, error.mean().detach(), log_variance.mean().detach())


def _ordered_pairs(videos: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices (P,) of all ordered pairs of different videos."""
    different = ~torch.eye(videos, dtype=torch.bool, device=device)
    first, second = different.nonzero(as_tuple=True)
    return first, second


def _similarity(rows: Tensor, columns: Tensor, kind: SimilarityName, temperature: float) -> Tensor:
    """(P, T, T) between (P, T, D) and (P, T, D)."""
    products = rows @ columns.transpose(1, 2)
    if kind == "l2":
        squares = rows.square().sum(2)[:, :, None] + columns.square().sum(2)[:, None]
        products = 2 * products - squares
    return products / (rows.shape[2] * temperature)


def _smoothed_identity(frames: int, smoothing: float, device: torch.device) -> Tensor:
    off = smoothing / max(frames - 1, 1)
    return torch.full((frames, frames), off, device=device).fill_diagonal_(1.0 - smoothing)


_SQUARED_NORM_WEIGHT = 0.25


def time_contrast(embeddings: Tensor, *, norm_weight: float = 0.002) -> Tensor:
    """Every anchor picks its own positive among all positives of the video (Sohn 2016, n-pairs).

    Args:
        embeddings: (B, T, D); frames 0, 2, ... are anchors, each followed by its positive; T is even.
        norm_weight: Weight of the squared lengths.

    Returns:
        Scalar, the mean over the videos.
    """
    rows = embeddings.float()
    anchors, positives = rows[:, 0::2], rows[:, 1::2]
    logits = anchors @ positives.transpose(1, 2)
    own = torch.arange(logits.shape[1], device=rows.device).expand(logits.shape[:2])
    contrast = functional.cross_entropy(logits.flatten(0, 1), own.flatten())
    lengths = anchors.square().sum(2).mean() + positives.square().sum(2).mean()
    return contrast + _SQUARED_NORM_WEIGHT * norm_weight * lengths


def frame_classification(logits: Tensor, labels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and accuracy over the labelled real frames.

    Args:
        logits: (B, T, K).
        labels: (B, T) integers, negative where a frame has no label.
        mask: (B, T) 1 for real frames, 0 for padding.

    Returns:
        Two scalars: the loss, and the detached accuracy in [0, 1]; zeros when no frame is labelled.
    """
    weights = mask.float() * (labels >= 0)
    total = weights.sum().clamp_min(1.0)
    losses = functional.cross_entropy(
        logits.float().flatten(0, 1), labels.clamp_min(0).flatten(), reduction="none"
    )
    right = (logits.detach().argmax(dim=2) == labels).float()
    return torch.dot(losses, weights.flatten()) / total, (right * weights).sum() / total
