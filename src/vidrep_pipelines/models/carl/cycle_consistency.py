"""Temporal cycle consistency (TCC, arXiv 1904.07846): to another video and back ends where it began."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

CycleLoss = Literal["regression_mse_var", "regression_mse", "regression_huber", "classification"]
Similarity = Literal["l2", "cosine"]

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
    similarity: Similarity = "l2",
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
        loss: On the time that a cycle ends at (section 3.2 of the paper); ``classification``: on the frame.
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
    true_time, found_time = (target * time).sum(2), (back * time).sum(2)
    variance = (back * (time - found_time[..., None]).square()).sum(2).clamp_min(_SMALLEST_VARIANCE)
    error, log_variance = (true_time - found_time).square(), variance.log()
    match loss:
        case "regression_mse_var":
            value = (error / variance + variance_weight * log_variance).mean()
        case "regression_mse":
            value = error.mean()
        case "regression_huber":
            value = functional.smooth_l1_loss(found_time, true_time)
        case "classification":
            value = -(target * torch.log_softmax(logits, dim=2)).sum(2).mean()
    return CycleConsistency(value, error.mean().detach(), log_variance.mean().detach())


def _ordered_pairs(videos: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices (P,) of all ordered pairs of different videos."""
    different = ~torch.eye(videos, dtype=torch.bool, device=device)
    first, second = different.nonzero(as_tuple=True)
    return first, second


def _similarity(rows: Tensor, columns: Tensor, kind: Similarity, temperature: float) -> Tensor:
    """(P, T, T) between (P, T, D) and (P, T, D)."""
    products = rows @ columns.transpose(1, 2)
    if kind == "l2":
        squares = rows.square().sum(2)[:, :, None] + columns.square().sum(2)[:, None]
        products = 2 * products - squares
    return products / (rows.shape[2] * temperature)


def _smoothed_identity(frames: int, smoothing: float, device: torch.device) -> Tensor:
    off = smoothing / max(frames - 1, 1)
    return torch.full((frames, frames), off, device=device).fill_diagonal_(1.0 - smoothing)
