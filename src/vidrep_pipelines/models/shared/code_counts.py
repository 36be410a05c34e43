"""How often each code of a codebook is used, in numbers."""

import torch
from torch import Tensor


def code_counts(codes: Tensor, size: int) -> Tensor:
    """How often each of ``size`` codes occurs in codes of any shape, (K,) float64."""
    return torch.bincount(codes.flatten(), minlength=size).double()


def perplexity(counts: Tensor) -> Tensor:
    """Exponential of the entropy of the codes' use, from counts (K,): 1 for one code, K for even use."""
    shares = counts / counts.sum()
    return torch.exp(-torch.special.xlogy(shares, shares).sum())


def used_share(counts: Tensor) -> Tensor:
    """Share of the codes that occur, given counts (K,)."""
    return (counts > 0).double().mean()
