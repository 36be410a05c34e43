"""Stochastic latent variables, as a posterior and a prior describe them: Gaussian or categorical."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class Latent(Protocol):
    """A family of distributions whose parameters a network predicts."""

    @property
    def parameter_count(self) -> int:
        """Numbers that describe one distribution."""

    @property
    def sample_size(self) -> int:
        """Numbers in one sample."""

    def draw_noise(self, generator: torch.Generator) -> Tensor:
        """The noise behind one sample, without a batch axis."""

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Parameters (B, parameter_count) and noise (B, ...) to samples (B, sample_size), differentiable."""

    def divergence(self, first: Tensor, second: Tensor) -> Tensor:
        """KL(first || second) in nats of each pair of parameters (B, parameter_count), (B,) in float32."""


@dataclass(frozen=True)
class CategoricalLatent:
    """``variables`` independent choices among ``classes`` each (DreamerV2, arXiv 2010.02193, section 2).

    A sample is one-hot per variable; in the backward pass it counts as the probabilities. The choice is
    ``argmax(logits + noise)`` with Gumbel noise, so a caller who supplies the noise decides the choice.

    Attributes:
        variables: Number of variables S.
        classes: Number of classes C of each.
    """

    variables: int
    classes: int

    @property
    def parameter_count(self) -> int:
        """One logit per class, variable-major."""
        return self.variables * self.classes

    @property
    def sample_size(self) -> int:
        """One entry per class, variable-major."""
        return self.variables * self.classes

    def draw_noise(self, generator: torch.Generator) -> Tensor:
        """Standard Gumbel noise (S, C) in float32, on the generator's device."""
        exponential = torch.empty(self.variables, self.classes, device=generator.device)
        return -exponential.exponential_(generator=generator).log()

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Draws one-hot samples (B, S * C) from logits (B, S * C) and noise (B, S, C)."""
        logits = self._logits(parameters)
        probabilities = logits.softmax(dim=-1)
        choice = F.one_hot((logits + noise).argmax(dim=-1), self.classes)
        return (choice + probabilities - probabilities.detach()).flatten(1)

    def divergence(self, first: Tensor, second: Tensor) -> Tensor:
        """KL(first || second) in nats, summed over the variables: (B,) from logits (B, S * C)."""
        log_first, log_second = self._logits(first).log_softmax(-1), self._logits(second).log_softmax(-1)
        return (log_first.exp() * (log_first - log_second)).sum(dim=(1, 2))

    def _logits(self, parameters: Tensor) -> Tensor:
        """Logits (B, S, C) in float32: half precision loses small divergences."""
        return parameters.float().reshape(-1, self.variables, self.classes)


_SMALLEST_DEVIATION = 0.1


@dataclass(frozen=True)
class GaussianLatent:
    """``variables`` independent normal variables, sampled by reparameterization (VAE, arXiv 1312.6114).

    The parameters are the means followed by raw deviations; the standard deviation is
    ``softplus(raw) + 0.1``, hence positive and bounded away from zero.

    Attributes:
        variables: Number of variables S.
    """

    variables: int

    @property
    def parameter_count(self) -> int:
        """A mean and a raw deviation per variable."""
        return 2 * self.variables

    @property
    def sample_size(self) -> int:
        """One value per variable."""
        return self.variables

    def draw_noise(self, generator: torch.Generator) -> Tensor:
        """Standard normal noise (S,) in float32, on the generator's device."""
        return torch.randn(self.variables, generator=generator, device=generator.device)

    def sample(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Draws samples (B, S) from parameters (B, 2 S) and standard normal noise (B, S)."""
        mean, deviation = _mean_and_deviation(parameters)
        return mean + deviation * noise

    def divergence(self, first: Tensor, second: Tensor) -> Tensor:
        """KL(first || second) in nats, summed over the variables: (B,) from parameters (B, 2 S)."""
        mean_first, deviation_first = _mean_and_deviation(first)
        mean_second, deviation_second = _mean_and_deviation(second)
        ratio = deviation_first / deviation_second
        distance = (mean_first - mean_second) / deviation_second
        return (0.5 * (ratio.square() + distance.square() - 1) - ratio.log()).sum(dim=1)


def _mean_and_deviation(parameters: Tensor) -> tuple[Tensor, Tensor]:
    mean, raw = parameters.float().chunk(2, dim=-1)
    return mean, F.softplus(raw) + _SMALLEST_DEVIATION
