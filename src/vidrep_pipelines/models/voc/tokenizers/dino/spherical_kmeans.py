"""K-means of directions."""

import torch
from torch import Tensor
from torch.nn import functional as F


@torch.no_grad()
def spherical_kmeans(samples: Tensor, means: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Clusters unit vectors by their cosine (Dhillon & Modha 2001, "Concept decompositions").

    Args:
        samples: (N, D) of length 1.
        means: (K, D) of length 1 to start from.
        iterations: Rounds of assignment and averaging.

    Returns:
        Means (K, D) of length 1, where a cluster without samples keeps its mean; and how many samples the
        last assignment gave to each, (K,) in float32.
    """
    counts = samples.new_zeros(len(means))
    for _ in range(iterations):
        codes = (samples @ means.T).argmax(dim=1)
        counts = torch.bincount(codes, minlength=len(means)).to(samples)
        means = mean_directions(samples, codes, counts, means)
    return means, counts


def mean_directions(samples: Tensor, codes: Tensor, counts: Tensor, otherwise: Tensor) -> Tensor:
    """Directions (K, D) of the means of samples (N, D) by their codes (N,); ``otherwise`` where none are."""
    sums = torch.zeros_like(otherwise).index_add_(0, codes, samples)
    used = counts[:, None] > 0
    return torch.where(used, F.normalize(sums / counts.clamp(min=1)[:, None], dim=-1), otherwise)
