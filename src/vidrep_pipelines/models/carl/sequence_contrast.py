"""Sequence contrastive loss (arXiv 2203.14957, section 3.4): frames of two views near in time agree."""

import math
from typing import Literal

import torch
from torch import Tensor

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
        variance: Of the Gaussian, in squared frames, > 0.
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
