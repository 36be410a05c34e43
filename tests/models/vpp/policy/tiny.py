"""A policy that is small enough for every test, and batches for it."""

from typing import NamedTuple

import torch
from torch import Tensor

from vidrep_pipelines.models.vpp.policy.config import DenoiserConfig, PolicyModelConfig, VideoFormerConfig
from vidrep_pipelines.models.vpp.policy.model import PolicyModel

FORMER = VideoFormerConfig(features=12, frames=2, width=16, tokens=6, depth=2, heads=2, head_width=8)
DENOISER = DenoiserConfig(width=16, encoder_layers=2, decoder_layers=2, heads=2, chunk=4, actions=3, goal=5)
CONFIG = PolicyModelConfig(former=FORMER, denoiser=DENOISER)
SEEING_STATE = CONFIG.model_copy(
    update={"denoiser": DENOISER.model_copy(update={"proprioception": 6, "cross_causal": False})}
)
SHAPE = (DENOISER.chunk, DENOISER.actions)
"""(A, a) of a chunk."""

PLACES = 7


class PolicyBatch(NamedTuple):
    """What a policy is given, and what it should do."""

    features: Tensor
    goal: Tensor
    actions: Tensor


def make_policy(config: PolicyModelConfig = CONFIG, seed: int = 0) -> PolicyModel:
    """A random model in evaluation mode, all of whose inputs matter visibly."""
    torch.manual_seed(seed)
    model = PolicyModel(config).eval()
    with torch.no_grad():
        for value in model.denoiser.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return model


def make_policy_batch(batch: int = 3, seed: int = 0, config: PolicyModelConfig = CONFIG) -> PolicyBatch:
    """Features (B, F, N, C), goals (B, 1, G), actions (B, A, a)."""
    generator = torch.Generator().manual_seed(seed)
    former, sizes = config.former, config.denoiser
    return PolicyBatch(
        torch.randn(batch, former.frames, PLACES, former.features, generator=generator),
        torch.randn(batch, 1, sizes.goal, generator=generator),
        torch.rand(batch, sizes.chunk, sizes.actions, generator=generator) * 2 - 1,
    )


def make_state(batch: int = 3) -> Tensor:
    """(B, 1, S)."""
    return torch.randn(batch, 1, 6, generator=torch.Generator().manual_seed(9))
