"""Batch norms over the samples of all processes, on any device."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidrep_pipelines.training import distributed


class SharedBatchNorm(_BatchNorm):
    """Like torch's batch norms, but in training mode its mean and variance are those of all processes.

    It does what :class:`torch.nn.SyncBatchNorm` does on GPUs only. The processes may have different numbers
    of samples.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Normalizes (B, C, ...) by the mean and variance of each channel."""
        if not self.training or distributed.world_size() == 1:
            normalized: Tensor = super().forward(values)
            return normalized
        places = [0, *range(2, values.ndim)]
        numbers = values.to(torch.promote_types(values.dtype, torch.float32))  # also under autocast
        local_count = numbers.new_tensor([numbers.numel() / numbers.shape[1]])
        count = distributed.sum_across_ranks(local_count)
        mean = _sum(numbers.sum(places)) / count
        shape = [1, -1, *[1] * (values.ndim - 2)]
        centered = numbers - mean.view(shape)
        variance = _sum(centered.square().sum(places)) / count
        self._follow(mean.detach(), (variance * count / (count - 1)).detach())
        scale, offset = torch.rsqrt(variance + self.eps), torch.zeros_like(mean)
        if self.affine:
            scale, offset = scale * self.weight, self.bias
        return (centered * scale.view(shape) + offset.view(shape)).to(values.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the running statistics; the variance is the unbiased one, as torch's."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions."""


class _SumAcrossRanks(torch.autograd.Function):
    """The sum over the processes, with gradient: each process's loss depends on everybody's values."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return distributed.sum_across_ranks(values)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return distributed.sum_across_ranks(gradient)


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _SumAcrossRanks.apply(values)  # type: ignore[no-untyped-call]
    return total


def share_batch_norms(model: nn.Module) -> None:
    """Replaces the batch norms inside ``model``; their parameters and buffers stay the same objects."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
                setattr(parent, name, _shared(child))


def _shared(original: _BatchNorm) -> SharedBatchNorm:
    shared = SharedBatchNorm(
        original.num_features,
        original.eps,
        original.momentum,
        original.affine,
        original.track_running_stats,
        device="meta",
    )
    shared._parameters, shared._buffers = original._parameters, original._buffers
    shared.training = original.training
    return shared
