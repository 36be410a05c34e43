"""What a training step of a video model costs, counted on an outline of the network without any weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vidrep_pipelines.models.vpp.video.adaptation import adapt
from vidrep_pipelines.models.vpp.video.config import AdaptationConfig, VideoModelConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion, build_unet

_FULL = 4
"""Bytes of a number in single precision, in which weights, gradients and averages are kept."""

_GIBIBYTE = 2**30


@dataclass(frozen=True)
class VideoStepCost:
    """Work and memory of one training step on one device, the text model's small share left out.

    Attributes:
        parameters: Numbers in the UNet.
        trained: Those of them that are trained, adapters included.
        forward_flops: Floating point operations of one forward pass; a product and a sum are two.
        step_flops: Those of the whole step: the way back is twice the way forward, and checkpointing goes the
            way forward once more.
        weights: Bytes of the weights.
        gradients: Bytes of the gradients.
        optimizer: Bytes of the optimizer's moments.
        average: Bytes of the averaged weights, if any are kept.
        activations: Bytes kept for the way back: an estimate.
    """

    parameters: int
    trained: int
    forward_flops: int
    step_flops: int
    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int

    @property
    def memory(self) -> int:
        """Bytes in all, without the buffers of the device's libraries."""
        return self.weights + self.gradients + self.optimizer + self.average + self.activations

    def text(self) -> str:
        """For people: "1524.6 M parameters, ...", in GiB and TFLOP."""
        parts = {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "average": self.average,
            "activations": self.activations,
        }
        listed = ", ".join(f"{name} {size / _GIBIBYTE:.1f}" for name, size in parts.items() if size)
        return (
            f"{self.parameters / 1e6:.1f} M parameters, {self.trained / 1e6:.1f} M trained; a step of "
            f"{self.step_flops / 1e12:.3g} TFLOP needs about {self.memory / _GIBIBYTE:.1f} GiB a device "
            f"({listed})"
        )


def video_step_cost(
    model: VideoModelConfig,
    adaptation: AdaptationConfig,
    shape: tuple[int, int, int, int, int],
    *,
    moment_bytes: int = 8,
    averaged: bool = False,
    activation_bytes: int = 2,
) -> VideoStepCost:
    """Counts the cost of a step of training on stored latents.

    Args:
        model: The architecture.
        adaptation: What is trained, and whether activations are computed anew.
        shape: (B, F, C, h, w) of a device's latents.
        moment_bytes: Bytes that the optimizer keeps for a trained number: 8 for AdamW, 2 for its 8-bit form.
        averaged: Whether averaged weights are kept.
        activation_bytes: Bytes of a number that is kept for the way back: 2 under autocast, 4 without.

    Raises:
        ConfigurationError: Nothing can be adapted as asked.
    """
    with torch.device("meta"):
        outline = _Outline(model)
        adapt(outline, adaptation)
        outline.to("meta")  # some numbers are made where they were not asked to be
        outline.unet.disable_gradient_checkpointing()
        flops, kept, largest_block, between = _forward(outline, model, shape)
    counts = [(value.numel(), value.requires_grad) for value in outline.unet.parameters()]
    total, trained = sum(count for count, _ in counts), sum(count for count, wanted in counts if wanted)
    anew = adaptation.gradient_checkpointing
    return VideoStepCost(
        parameters=total,
        trained=trained,
        forward_flops=flops,
        step_flops=(4 if anew else 3) * flops,
        weights=_FULL * total,
        gradients=_FULL * trained,
        optimizer=moment_bytes * trained,
        average=_FULL * trained if averaged else 0,
        activations=activation_bytes * (between + largest_block if anew else kept),
    )


class _Outline(VideoDiffusion):
    """A video model with its UNet only."""

    def __init__(self, config: VideoModelConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.unet = build_unet(config.unet)


def _forward(
    outline: VideoDiffusion, model: VideoModelConfig, shape: tuple[int, int, int, int, int]
) -> tuple[int, int, int, int]:
    """Operations of a forward pass, and the numbers kept: in all, in the largest block, between blocks."""
    batch, frames, channels, height, width = shape
    sample = torch.zeros(batch, frames, 2 * channels, height, width)
    text = torch.zeros(batch, model.text.tokens, model.unet.cross_attention_dimension)
    counter = FlopCounterMode(display=False)
    with _kept_numbers(outline) as kept, counter:
        outline.velocity(sample, torch.zeros(batch), text, torch.zeros(batch, 3))
    return counter.get_total_flops(), kept.total, max(kept.in_blocks, default=0), kept.between


class _Kept:
    """How many numbers autograd keeps, each once, weights left out."""

    def __init__(self) -> None:
        self.total, self.between, self.in_blocks = 0, 0, list[int]()
        self._seen: dict[int, Any] = {}

    def pack(self, value: Tensor) -> Tensor:
        """Counts a tensor that autograd keeps, unless its memory was counted before."""
        storage, owner = value.untyped_storage(), value if value._base is None else value._base
        if not isinstance(owner, nn.Parameter) and storage._cdata not in self._seen:
            self._seen[storage._cdata] = storage  # held, or its number would be given again
            self.total += storage.nbytes() // value.element_size()
        return value


@contextmanager
def _kept_numbers(outline: VideoDiffusion) -> Iterator[_Kept]:
    kept = _Kept()
    handles = []
    for block in outline.blocks():
        starts: list[int] = []
        handles.append(block.register_forward_pre_hook(_noting_start(kept, starts)))
        handles.append(block.register_forward_hook(_noting_end(kept, starts)))
    try:
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda value: value):
            yield kept
    finally:
        for handle in handles:
            handle.remove()


def _noting_start(kept: _Kept, starts: list[int]) -> Callable[[nn.Module, Any], None]:
    def note(block: nn.Module, inputs: Any) -> None:
        starts.append(kept.total)

    return note


def _noting_end(kept: _Kept, starts: list[int]) -> Callable[[nn.Module, Any, Any], None]:
    def note(block: nn.Module, inputs: Any, output: Any) -> None:
        kept.in_blocks.append(kept.total - starts.pop())
        kept.between += (output[0] if isinstance(output, tuple) else output).numel()

    return note
