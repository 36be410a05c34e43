"""Time-contrastive network, single view (TCN, arXiv 1704.06888), with the n-pairs loss of TCC's baselines."""

import torch
from torch import Tensor
from torch.nn import functional

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
