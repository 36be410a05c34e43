"""Which parameters of an occupancy model are decayed."""

from typing import Any

from vidrep_pipelines.models.voc.model import VocModel


def occupancy_groups(model: VocModel, weight_decay: float) -> list[dict[str, Any]]:
    """The optimizer's groups, as published: in the GPT all but norms and biases are decayed.

    The reward head is a group of its own, all of it decayed by ``model.reward.weight_decay``.
    """
    named = list(model.gpt.named_parameters())
    groups: list[dict[str, Any]] = [
        {"params": [value for name, value in named if not _is_decayed(name)], "weight_decay": 0.0},
        {"params": [value for name, value in named if _is_decayed(name)], "weight_decay": weight_decay},
    ]
    if model.reward_head is not None and model.config.reward is not None:
        head = list(model.reward_head.parameters())
        groups.append({"params": head, "weight_decay": model.config.reward.weight_decay})
    return groups


def _is_decayed(name: str) -> bool:
    return not name.endswith("bias") and "norm" not in name
