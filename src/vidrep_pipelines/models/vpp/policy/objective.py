"""The loss of the denoiser of actions, with all of its randomness passed in (arXiv 2206.00364, equation 8).

Shapes: features (B, F, N, C); goals (B, 1, G); chunks of actions (B, A, a) from -1 to 1; states (B, 1, S).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import ActionPartConfig, PolicyObjectiveConfig
from vidrep_pipelines.models.vpp.policy.denoiser import PolicyContext
from vidrep_pipelines.models.vpp.policy.model import PolicyModel, action_factors
from vidrep_pipelines.models.vpp.policy.noise_density import noise_quantiles


@dataclass(frozen=True)
class PolicyRandomness:
    """Everything random in one step, but for the networks' own dropout.

    Attributes:
        goal_uniform: (B,) uniform in [0, 1); goals below the dropout are left out.
        sigma_uniform: (B,) uniform in [0, 1) in double precision, which becomes the noise level.
        noise: (B, A, a) standard normal, on the actions.
    """

    goal_uniform: Tensor
    sigma_uniform: Tensor
    noise: Tensor


def draw_policy_randomness(
    seeds: Tensor, shape: tuple[int, int], device: torch.device | str
) -> PolicyRandomness:
    """Draws the randomness of a batch, each sample from its own seed.

    Hence a sample's noise does not depend on how samples are put into batches, ranks and accumulation steps.

    Args:
        seeds: (B,) int64, one per sample.
        shape: (A, a) of a chunk of actions.
        device: Where to draw. Different kinds of device give different noise from the same seed.
    """
    generator = torch.Generator(device)
    draws: list[tuple[Tensor, Tensor, Tensor]] = []
    for seed in seeds.tolist():
        generator.manual_seed(seed)
        goal = torch.rand((), generator=generator, device=device)
        sigma = torch.rand((), generator=generator, device=device, dtype=torch.float64)
        draws.append((goal, sigma, torch.randn(shape, generator=generator, device=device)))
    return PolicyRandomness(*(torch.stack(column) for column in zip(*draws, strict=True)))


@dataclass(frozen=True)
class PolicyOutputs:
    """The loss and all that led to it.

    Attributes:
        loss: The mean of ``losses``, to differentiate.
        losses: (B,) loss of each sample.
        errors: (B,) mean squared error of the network's output in each sample, whatever the parts.
        parts: (B,) of every part of an action that is configured, with its share but not its weight.
        sigma: (B,) noise levels.
        keep: (B,) whether the goal was told.
        target: (B, A, a) what the network's output should be.
        output: (B, A, a) what it is.
        noisy: (B, A, a) what was denoised.
        context: What the policy saw.
    """

    loss: Tensor
    losses: Tensor
    errors: Tensor
    parts: Mapping[str, Tensor]
    sigma: Tensor
    keep: Tensor
    target: Tensor
    output: Tensor
    noisy: Tensor
    context: PolicyContext

    def metrics(self) -> Mapping[str, Tensor]:
        """Detached means for the log: the error, that of each part, and the noise level's logarithm."""
        means = {f"error_{name}": values.mean().detach() for name, values in self.parts.items()}
        log_sigma = self.sigma.log().mean().detach()
        return {"error": self.errors.mean().detach(), **means, "log_sigma": log_sigma}


def policy_objective(
    model: PolicyModel,
    features: Tensor,
    goal: Tensor,
    actions: Tensor,
    randomness: PolicyRandomness,
    config: PolicyObjectiveConfig,
    state: Tensor | None = None,
) -> PolicyOutputs:
    """Computes the mean of (F(x + sigma noise; sigma) - (x - c_skip (x + sigma noise)) / c_out)^2.

    Args:
        model: The model; under autocast, noise levels and loss are in single precision all the same.
        features: (B, F, N, C) of the video model.
        goal: (B, 1, G).
        actions: (B, A, a) chunks x, from -1 to 1.
        randomness: The random inputs.
        config: The distribution of noise levels, and which numbers of an action weigh how much.
        state: (B, 1, S), for policies that see it.

    Raises:
        InputError: An input is missing, not asked for, or of another size.
        ConfigurationError: A part of an action lies beyond its numbers.
    """
    actions = actions.float()
    keep = randomness.goal_uniform >= config.goal_dropout
    context = model.context(features, goal * keep[:, None, None], state)
    sigma = noise_quantiles(randomness.sigma_uniform, config.density).to(actions.dtype)
    noisy = actions + sigma.reshape(-1, 1, 1) * randomness.noise
    factors = action_factors(sigma, model.config.sigma_data)
    target = (actions - factors.c_skip * noisy) / factors.c_out
    output = model.output(noisy, sigma, context)
    squares = (output - target).square()
    errors = squares.flatten(1).mean(dim=1)
    parts = {part.name: part_loss(squares, part) for part in config.parts}
    weighted = [part.weight * parts[part.name] for part in config.parts]
    losses = torch.stack(weighted).sum(dim=0) if weighted else errors
    return PolicyOutputs(
        loss=losses.mean(),
        losses=losses,
        errors=errors,
        parts=parts,
        sigma=sigma,
        keep=keep,
        target=target,
        output=output,
        noisy=noisy,
        context=context,
    )


def part_loss(squares: Tensor, part: ActionPartConfig) -> Tensor:
    """The share of a part in the error: (B, A, a) squared errors to (B,).

    Raises:
        ConfigurationError: It lies beyond the numbers of an action.
    """
    beyond = max(stop for _, stop in part.ranges)
    if beyond > squares.shape[-1]:
        raise ConfigurationError(
            f"objective.parts: {part.name} goes to number {beyond} of an action, which has "
            f"{squares.shape[-1]}. Remedy: set the parts that belong to these actions."
        )
    means = [squares[..., start:stop].flatten(1).mean(dim=1) for start, stop in part.ranges]
    return part.share * torch.stack(means).sum(dim=0)
