"""Independent categorical variables with straight-through gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


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
