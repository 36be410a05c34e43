"""Supervised baseline: the phase of every frame."""

import torch
from torch import Tensor
from torch.nn import functional


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
