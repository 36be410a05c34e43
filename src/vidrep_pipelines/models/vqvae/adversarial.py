"""The adversarial loss of VQGAN, in one pass with the model's own (Esser et al. 2021, section 3.1).

Both players' losses are in one sum whose gradients are kept apart: the discriminator sees detached pictures,
and the model is judged by a discriminator with detached weights. So one backward pass and one optimizer
serve both, with a parameter group of its own for the discriminator.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vidrep_pipelines.models.layers.patch_discriminator import hinge_loss
from vidrep_pipelines.models.vqvae.config import AdversarialConfig

_SMALLEST_NORM = 1e-4


@dataclass(frozen=True)
class AdversarialLosses:
    """``loss`` to add to the model's; the parts are for the log.

    Attributes:
        loss: Weighted adversarial loss of the model, plus the discriminator's.
        generator: Minus the mean score of the reconstructions.
        discriminator: Hinge loss.
        weight: What ``generator`` was multiplied by.
    """

    loss: Tensor
    generator: Tensor
    discriminator: Tensor
    weight: Tensor

    def metrics(self) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        return {
            "loss_generator": self.generator.detach(),
            "loss_discriminator": self.discriminator.detach(),
            "adversarial_weight": self.weight.detach(),
        }


def adversarial_losses(
    discriminator: nn.Module,
    images: Tensor,
    reconstruction: Tensor,
    reconstruction_loss: Tensor,
    last_layer: Tensor,
    config: AdversarialConfig,
    *,
    step: int,
    mean_across_ranks: Callable[[Tensor], Tensor],
) -> AdversarialLosses:
    """Computes both players' losses; before ``config.start_step`` all of them are zero.

    Args:
        discriminator: Maps (N, 3, H, W) to scores.
        images: (B[, T], 3, H, W).
        reconstruction: The same shape, with the model's graph.
        reconstruction_loss: Scalar that the adaptive weight compares with.
        last_layer: Parameter at which it compares.
        config: Weights.
        step: Updates done so far.
        mean_across_ranks: Mean over the processes, so that all use one weight.
    """
    if step < config.start_step:
        return _idle_losses(discriminator, images)
    real, fake = (frames.reshape(-1, *frames.shape[-3:]) for frames in (images, reconstruction))
    frozen = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    generator = -functional_call(discriminator, frozen, (fake,)).float().mean()
    hinge = hinge_loss(*discriminator(torch.cat([real, fake.detach()])).chunk(2))
    scale = real.new_ones(())
    if config.adaptive:
        scale = _adaptive_scale(reconstruction_loss, generator, last_layer, config, mean_across_ranks)
    weight = config.weight * scale
    return AdversarialLosses(weight * generator + hinge, generator, hinge, weight)


def _idle_losses(discriminator: nn.Module, images: Tensor) -> AdversarialLosses:
    """Zero, with zero gradients for the discriminator: DDP insists on a gradient for every parameter."""
    zero = images.new_zeros(())
    nothing = sum((0.0 * parameter.sum() for parameter in discriminator.parameters()), start=zero)
    return AdversarialLosses(nothing, zero, zero, zero)


def _adaptive_scale(
    reconstruction_loss: Tensor,
    generator: Tensor,
    last_layer: Tensor,
    config: AdversarialConfig,
    mean_across_ranks: Callable[[Tensor], Tensor],
) -> Tensor:
    """Length of the reconstruction's gradient over that of the adversarial one (equation 7)."""
    lengths = torch.stack([
        torch.autograd.grad(loss, last_layer, retain_graph=True)[0].float().norm()
        for loss in (reconstruction_loss, generator)
    ])  # fmt: skip
    reconstruction_norm, generator_norm = mean_across_ranks(lengths).unbind()
    return (reconstruction_norm / (generator_norm + _SMALLEST_NORM)).clamp(max=config.largest_adaptive_weight)
