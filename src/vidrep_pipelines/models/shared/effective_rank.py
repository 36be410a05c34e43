"""How many directions features use: RankMe, which needs no labels and tells a collapse while it happens.

Source: Garrido et al., "RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised
Representations by Their Rank", ICML 2023 (arXiv 2210.02885), equation 1.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_EPSILON = 1e-7


class FeatureRank:
    """The rank of any number of features, of which only their D x D products are kept."""

    def __init__(self) -> None:
        self._products: Tensor | None = None

    def add(self, features: Tensor) -> None:
        """Takes features (..., D) in."""
        rows = features.detach().flatten(0, -2).double()
        products = rows.T @ rows
        self._products = products if self._products is None else self._products + products

    def value(self) -> float:
        """RankMe of all features that were added, from 1 to D; not a number if there were none.

        The exponential of the entropy of the singular values' shares, with the singular values of the
        features from the eigenvalues of their products. Features are not centered, as published.
        """
        if self._products is None:
            return float("nan")
        singular = torch.linalg.eigvalsh(self._products).clamp_min(0).sqrt()
        shares = singular / singular.sum().clamp_min(torch.finfo(singular.dtype).tiny) + _EPSILON
        return float((-(shares * shares.log()).sum()).exp())


Selection = Callable[[tuple[Any, ...], Any], Tensor]
"""From what a module was given and what it returned to features (..., D)."""


@contextmanager
def rank_of_outputs(module: nn.Module, select: Selection) -> Iterator[FeatureRank]:
    """The rank of all that a module returns inside of the block, for measurements that pass samples anyway.

    Args:
        module: Is called by them.
        select: Takes the features out of a call.
    """
    rank = FeatureRank()
    hook = module.register_forward_hook(lambda _, given, returned: rank.add(select(given, returned)))
    try:
        yield rank
    finally:
        hook.remove()
