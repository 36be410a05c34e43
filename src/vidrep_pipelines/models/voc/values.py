"""Values, rewards and likelihoods that an occupancy model predicts."""

import torch
from torch import Tensor

from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.sampling import draw_uniforms, sample_states

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
        model: In evaluation mode, unless dropout is wanted.
        contexts: (B, T) codes.
        seeds: (B,) int64, one for each context.
        samples: States S drawn for each.
        action: (B, A), for a model that is conditioned on actions.
        top_k: Draw from so many likeliest tokens. None: all.

    Returns:
        (B, S, T) codes.
    """
    B, T = contexts.shape
    found = []
    for rows in torch.split(torch.arange(B, device=contexts.device), max(1, _ROWS_AT_ONCE // samples)):
        uniforms = draw_uniforms(seeds[rows.to(seeds.device)], samples, T, contexts.device)
        chosen = None if action is None else action[rows]
        found.append(sample_states(model.target, contexts[rows], uniforms, action=chosen, top_k=top_k))
    return torch.cat(found)


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
