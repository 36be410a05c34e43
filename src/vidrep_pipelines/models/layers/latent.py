"""What a model needs to know about its stochastic latent variable."""

from typing import Protocol

import torch
from torch import Tensor


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
