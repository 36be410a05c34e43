"""The optimizer and its parameter groups."""

from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.training.config import OptimizerConfig

_FUSED_DEVICES = {"cpu", "cuda"}


def weight_decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Splits the trainable parameters into those without weight decay (first) and those with it.

    Vectors (fewer than two dimensions) and everything named ``*.bias`` are not decayed. An empty group is
    left out.
    """
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    kept = [parameter for name, parameter in trainable if _is_not_decayed(name, parameter)]
    decayed = [parameter for name, parameter in trainable if not _is_not_decayed(name, parameter)]
    groups = [
        {"params": kept, "weight_decay": 0.0},
        {"params": decayed, "weight_decay": weight_decay},
    ]
    return [group for group in groups if group["params"]]


def _is_not_decayed(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim < 2 or name.endswith(".bias")


def build_optimizer(
    groups: list[dict[str, Any]], config: OptimizerConfig, device: torch.device
) -> torch.optim.Optimizer:
    """The optimizer of ``groups``, each with its own ``weight_decay``; the loop sets the rate per step.

    Raises:
        ConfigurationError: 8-bit moments of a sharded model.
        MissingExtraError: bitsandbytes is not installed.
    """
    if config.name == "adamw_8bit":
        return _eight_bit(groups, config)
    fused = config.fused and device.type in _FUSED_DEVICES
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=config.betas[0], fused=fused)
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=0.0, betas=config.betas, eps=config.eps, fused=fused)


def _eight_bit(groups: list[dict[str, Any]], config: OptimizerConfig) -> torch.optim.Optimizer:
    """AdamW with moments of 8 bits; tensors below 4096 numbers keep theirs in 32."""
    if any(isinstance(parameter, DTensor) for group in groups for parameter in group["params"]):
        raise ConfigurationError(
            "train.optimizer.name adamw_8bit does not work with launch.strategy fsdp. Use ddp, or adamw, "
            "whose moments are then in shards."
        )
    kind = require_extra("bitsandbytes", "vpp").optim.AdamW8bit
    optimizer: torch.optim.Optimizer = kind(groups, lr=0.0, betas=config.betas, eps=config.eps)
    return optimizer


def set_learning_rate(
    optimizer: torch.optim.Optimizer, learning_rate: float, peak: float | None = None
) -> None:
    """Sets every group's rate.

    Args:
        optimizer: The optimizer.
        learning_rate: What the schedule says.
        peak: Its highest value, which a group with ``constant_rate`` always has. None: the same.
    """
    for group in optimizer.param_groups:
        rate = peak if peak is not None and group.get("constant_rate") else learning_rate
        group["lr"] = rate * group.get("lr_scale", 1.0)
