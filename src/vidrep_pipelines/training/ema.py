"""Exponential moving average of the weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialMovingAverage:
    """``average <- decay * average + (1 - decay) * weight`` for every trainable parameter, in float32.

    Args:
        model: The model, already moved to its device and sharded.
        decay: In (0, 1), for example 0.999.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._parameters = {
            name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
        }
        self._averages = {name: value.detach().clone() for name, value in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Takes the current weights into the average."""
        self._average(list(self._averages.values()), list(self._parameters.values()), 0)

    def full_state(self) -> dict[str, Tensor]:
        """The averages by parameter name, unsharded and on the CPU. Every process must call this."""
        return {name: _full(value).cpu() for name, value in self._averages.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over averages saved by :meth:`full_state`; further entries are ignored."""
        for name, average in self._averages.items():
            average.copy_(_like(state[name], average))


def _full(value: Tensor) -> Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value


def _like(value: Tensor, example: Tensor) -> Tensor:
    """``value`` on the device of ``example``, sharded as it is."""
    value = value.to(example.device)
    if isinstance(example, DTensor):
        return distribute_tensor(value, example.device_mesh, example.placements)
    return value
