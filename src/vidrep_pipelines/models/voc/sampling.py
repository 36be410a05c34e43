"""Drawing states from the occupancy model, many at once and reproducibly, and what they are worth."""

import torch
from torch import Tensor

from vidrep_pipelines.models.voc.gpt import Gpt, KeyValueCache
from vidrep_pipelines.models.voc.model import VocModel


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
    codes = torch.searchsorted(cumulative, thresholds, right=True).squeeze(-1)
    return codes.clamp_(max=logits.shape[-1] - 1)


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


_ROWS_AT_ONCE = 1024


@torch.no_grad()
def sample_futures(
    model: VocModel,
    contexts: Tensor,
    seeds: Tensor,
    samples: int,
    *,
    action: Tensor | None = None,
    top_k: int | None = None,
) -> Tensor:
    """States drawn from the discounted future, by the target network as published.

    Args:
        model: The model in evaluation mode, unless dropout is wanted.
        contexts: (B, T) codes.
        seeds: (B,) int64, one for each context.
        samples: States S drawn for each.
        action: (B, A), for a model that is conditioned on actions.
        top_k: Draw from so many likeliest tokens. None: all.

    Returns:
        (B, S, T) codes.
    """
    B, T = contexts.shape
    drawn = []
    for rows in torch.split(torch.arange(B, device=contexts.device), max(1, _ROWS_AT_ONCE // samples)):
        uniforms = draw_uniforms(seeds[rows.to(seeds.device)], samples, T, contexts.device)
        actions = None if action is None else action[rows]
        drawn.append(sample_states(model.target, contexts[rows], uniforms, action=actions, top_k=top_k))
    return torch.cat(drawn)


@torch.no_grad()
def future_rewards(model: VocModel, futures: Tensor) -> Tensor:
    """Predicted rewards (B, S) of states (B, S, T) from :func:`sample_futures`.

    Raises:
        ConfigurationError: The model has no reward head.
    """
    parts = torch.split(futures, max(1, _ROWS_AT_ONCE // futures.shape[1]))
    return torch.cat([model.rewards(part) for part in parts])


def values_of(rewards: Tensor, gamma: float) -> Tensor:
    """Values (B,) from the rewards (B, S) of S samples: ``mean / (1 - gamma)``."""
    return rewards.mean(1) / (1 - gamma)


@torch.no_grad()
def future_log_probabilities(
    gpt: Gpt, contexts: Tensor, futures: Tensor, action: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """How likely the model finds states in the discounted future.

    Args:
        gpt: The model.
        contexts: (B, T) codes.
        futures: (B, T) codes.
        action: (B, A), for a model that is conditioned on actions.

    Returns:
        (B, T) logarithms of the probability of each token of ``futures``, and (B, T) their raw logits.
    """
    T = futures.shape[1]
    logits = gpt(torch.cat([contexts, futures], dim=1)[:, :-1], action)[:, -T:].float()
    raw = logits.gather(2, futures.unsqueeze(2)).squeeze(2)
    return raw - logits.logsumexp(dim=2), raw
