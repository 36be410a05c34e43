"""Drawing states from the occupancy model, many at once and reproducibly.

Tokens are drawn by the inverse of the cumulative distribution from uniform numbers that the caller supplies:
equal numbers give equal samples, however these are grouped into batches.
"""

import torch
from torch import Tensor

from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.key_value_cache import KeyValueCache


@torch.no_grad()
def sample_states(
    gpt: Gpt,
    contexts: Tensor,
    uniforms: Tensor,
    *,
    action: Tensor | None = None,
    top_k: int | None = None,
) -> Tensor:
    """Draws S states from the model's distribution of the future of each context.

    Dropout is whatever ``gpt.training`` says.

    Args:
        gpt: The model.
        contexts: (B, T) codes.
        uniforms: (B, S, T) float64 in [0, 1).
        action: (B, A), for a model that is conditioned on actions.
        top_k: Draw from so many likeliest tokens. None: all.

    Returns:
        (B, S, T) codes.
    """
    B, S, T = uniforms.shape
    cache = KeyValueCache.empty(len(gpt.blocks), S, T - 1)
    drawn = contexts.new_empty(B, S, T)
    logits = gpt.start(contexts, action, cache)[:, None].expand(-1, S, -1)
    for step in range(T):
        if step:
            logits = gpt.advance(drawn[..., step - 1], action, cache)
        drawn[..., step] = draw_tokens(logits, uniforms[..., step], top_k)
    return drawn


def draw_tokens(logits: Tensor, uniforms: Tensor, top_k: int | None = None) -> Tensor:
    """The first tokens whose cumulative probability, in float64, exceeds the uniform numbers.

    Args:
        logits: (..., V).
        uniforms: (...) float64 in [0, 1).
        top_k: Leave only so many likeliest tokens. None: all.
    """
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    cumulative = logits.double().softmax(dim=-1).cumsum_(dim=-1)
    # Rounding can leave the last entry a little off 1.
    thresholds = uniforms.unsqueeze(-1) * cumulative[..., -1:]
    found = torch.searchsorted(cumulative, thresholds, right=True).squeeze(-1)
    return found.clamp_(max=logits.shape[-1] - 1)


def draw_uniforms(seeds: Tensor, samples: int, tokens: int, device: torch.device) -> Tensor:
    """Uniform numbers (B, samples, tokens) float64, each row's from its own seed in (B,)."""
    generator = torch.Generator()
    rows = [
        torch.rand(samples, tokens, dtype=torch.float64, generator=generator.manual_seed(seed))
        for seed in seeds.tolist()
    ]
    if not rows:
        return torch.empty(0, samples, tokens, dtype=torch.float64, device=device)
    return torch.stack(rows).to(device)
