"""A normal variable with a diagonal covariance."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

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
