"""Heads on one feature per clip: nearest neighbors and softmax regression."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.common.arrays import IntArray
from vidrep_pipelines.evaluation.clip_probe.config import LinearClipsConfig, NearestClipsConfig

Scores = NDArray[np.float32]
"""(N, C) scores of classes; the largest one is the answer."""

_CLIPS_AT_ONCE = 1024
_SMALLEST_SPREAD = 1e-6


def nearest_scores(
    train: NDArray[np.float32],
    labels: IntArray,
    queries: NDArray[np.float32],
    classes: int,
    neighbors: int,
    config: NearestClipsConfig,
    device: torch.device,
) -> Scores:
    """Votes of the nearest training clips by cosine similarity (Caron et al. 2021, section 4.1).

    Args:
        train: (M, D) features of training clips.
        labels: (M,) their classes.
        queries: (N, D) features.
        classes: Number of classes C.
        neighbors: How many vote; at most M.
        config: Temperature.
        device: Does the work.
    """
    kept = functional.normalize(torch.from_numpy(train).to(device), dim=1)
    known = torch.from_numpy(labels).to(device)
    scores = []
    for start in range(0, len(queries), _CLIPS_AT_ONCE):
        part = torch.from_numpy(queries[start : start + _CLIPS_AT_ONCE]).to(device)
        similarity = functional.normalize(part, dim=1) @ kept.T
        best, places = similarity.topk(min(neighbors, len(kept)), dim=1)
        # Relative to the best one: the same shares, and no overflow at a low temperature.
        votes = ((best - best[:, :1]) / config.temperature).exp()
        total = votes.new_zeros(len(part), classes).scatter_add_(1, known[places], votes)
        scores.append(total.cpu())
    result: Scores = torch.cat(scores).numpy()
    return result


class SoftmaxRegression:
    """Multinomial logistic regression with an L2 penalty, on features standardized by the training clips.

    Args:
        train: (M, D) features of training clips.
        labels: (M,) their classes.
        classes: Number of classes.
        penalty: Of the squared weights; the loss is the mean cross-entropy plus half of it.
        config: Most iterations.
        device: Does the work.
    """

    def __init__(
        self,
        train: NDArray[np.float32],
        labels: IntArray,
        classes: int,
        penalty: float,
        config: LinearClipsConfig,
        device: torch.device,
    ) -> None:
        features = torch.from_numpy(train).to(device, torch.float64)
        self._mean, spread = features.mean(dim=0), features.std(dim=0, correction=0)
        self._spread = spread.clamp_min(_SMALLEST_SPREAD)
        self._device = device
        self.weight = torch.zeros(classes, features.shape[1], dtype=torch.float64, device=device)
        self.bias = torch.zeros(classes, dtype=torch.float64, device=device)
        self._fit(self._standardized(features), torch.from_numpy(labels).to(device), penalty, config)

    def scores(self, queries: NDArray[np.float32]) -> Scores:
        """(N, C) log-odds of features (N, D)."""
        features = torch.from_numpy(queries).to(self._device, torch.float64)
        result: Scores = self._logits(self._standardized(features)).float().cpu().numpy()
        return result

    def _standardized(self, features: Tensor) -> Tensor:
        return (features - self._mean) / self._spread

    def _logits(self, features: Tensor) -> Tensor:
        return functional.linear(features, self.weight, self.bias)

    def _fit(self, features: Tensor, labels: Tensor, penalty: float, config: LinearClipsConfig) -> None:
        parameters = [self.weight.requires_grad_(), self.bias.requires_grad_()]
        optimizer = torch.optim.LBFGS(
            parameters, max_iter=config.iterations, line_search_fn="strong_wolfe", tolerance_grad=1e-6
        )

        def loss() -> float:
            optimizer.zero_grad()
            fit = functional.cross_entropy(self._logits(features), labels)
            total = fit + penalty / 2 * self.weight.square().sum()
            total.backward()  # type: ignore[no-untyped-call]
            return float(total.detach())

        with torch.enable_grad():
            optimizer.step(loss)  # type: ignore[no-untyped-call]
        self.weight.requires_grad_(False)
        self.bias.requires_grad_(False)
