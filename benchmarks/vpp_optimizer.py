"""An optimizer step over a UNet's parameters in two fused groups, against one group for each tensor.

The published training gives each tensor a group of its own, 1428 of them; the optimizer works through these
one by one. Which tensor is in which group changes no number.
"""

import time
from typing import Any

import torch

from benchmarks.timing import Result, interleave
from vidrep_pipelines.models.vpp.video.config import UnetConfig
from vidrep_pipelines.models.vpp.video.model import build_unet
from vidrep_pipelines.training.config import OptimizerConfig
from vidrep_pipelines.training.optimizer import build_optimizer, set_learning_rate, weight_decay_groups

ROUNDS = 20
RATE = 5e-6
UNET = UnetConfig(
    channels=(32, 32, 32, 32), heads=(1, 2, 2, 2), cross_attention_dimension=32, time_embedding_dimension=16
)
HOW = (
    "CPU time of an AdamW step over {tensors} tensors of the published UNet's structure at 32 channels, "
    f"float32, one thread, interleaved, medians of {ROUNDS} rounds; reference: one group per tensor, as "
    "published, by torch's default implementation"
)


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ours, reference = _training(grouped=True), _training(grouped=False)
    medians = interleave(ours.step, reference.step, ROUNDS, time.process_time)
    _require_equal(ours.model, reference.model)
    torch.set_num_threads(threads)
    result = Result(
        ratio=medians.ratio,
        ours=1000 * medians.ours,
        reference=1000 * medians.reference,
        unit="milliseconds per step",
        how=HOW.format(tensors=len(list(ours.model.parameters()))),
    )
    return {"vpp_optimizer": result}


class _Training:
    """A network whose gradients stay the same, and its optimizer."""

    def __init__(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.model, self.optimizer = model, optimizer
        set_learning_rate(optimizer, RATE)

    def step(self) -> None:
        self.optimizer.step()


def _training(*, grouped: bool) -> _Training:
    torch.manual_seed(0)
    model = build_unet(UNET)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    config = OptimizerConfig(betas=(0.9, 0.999), weight_decay=0.0)
    if grouped:
        groups = weight_decay_groups(model, config.weight_decay)
        return _Training(model, build_optimizer(groups, config, torch.device("cpu")))
    alone: list[dict[str, Any]] = [{"params": [parameter]} for parameter in model.parameters()]
    return _Training(
        model, torch.optim.AdamW(alone, lr=0.0, betas=config.betas, eps=config.eps, weight_decay=0.0)
    )


def _require_equal(model: torch.nn.Module, other: torch.nn.Module) -> None:
    """Both did the same steps: weights agree to the rounding of the two implementations."""
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
