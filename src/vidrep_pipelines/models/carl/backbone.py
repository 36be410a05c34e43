"""The ResNet that sees every frame on its own, and the weights it may start from."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.config import BackboneOrigin, CarlModelConfig
from vidrep_pipelines.models.shared.weight_file import read_content, some_of, state_dict_in

_STAGES = ("layer1", "layer2", "layer3", "layer4")


class FrameBackbone(nn.Module):
    """A ResNet without its classifier, of which the first stages never change.

    Parameters carry timm's names, which are torchvision's. The stages below the first trained one stay in
    evaluation mode and take no part in the backward pass. A last stage that the head does not use is there
    only because published checkpoints hold it; it is not trained.

    Args:
        config: Widths, blocks, and which stages are trained.
    """

    def __init__(self, config: CarlModelConfig) -> None:
        from vidrep_pipelines.compat import timm  # noqa: PLC0415  (takes two seconds)

        super().__init__()
        resnet: Any = timm.models.resnet
        network = resnet.ResNet(
            resnet.Bottleneck, layers=config.stage_blocks, channels=config.stage_widths, num_classes=0
        )
        self.conv1, self.bn1 = network.conv1, network.bn1
        self.layer1, self.layer2 = network.layer1, network.layer2
        self.layer3, self.layer4 = network.layer3, network.layer4
        self._used, self._first_trained = config.stages, config.first_trained_stage
        parts = [nn.ModuleList([self.conv1, self.bn1]), *(self.get_submodule(name) for name in _STAGES)]
        for number, part in enumerate(parts):
            part.requires_grad_(self._first_trained <= number <= self._used)
        self.train()  # new modules are in training mode, the frozen ones too

    def train(self, mode: bool = True) -> "FrameBackbone":
        """Frozen stages stay in evaluation mode."""
        super().train(mode)
        self.bn1.train(mode and self._first_trained == 0)
        for number, name in enumerate(_STAGES, start=1):
            self.get_submodule(name).train(mode and self._first_trained <= number <= self._used)
        return self

    def stem(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 64, H / 4, W / 4)."""
        normal = torch.relu(self.bn1(self.conv1(frames)))
        return nn.functional.max_pool2d(normal, kernel_size=3, stride=2, padding=1)

    def stage(self, number: int, maps: Tensor) -> Tensor:
        """Applies stage 1, 2, 3 or 4."""
        output: Tensor = self.get_submodule(_STAGES[number - 1])(maps)
        return output

    def forward(self, frames: Tensor) -> Tensor:
        """Normalized frames (N, 3, H, W) to maps (N, C, H / 32, W / 32), or / 16 for three stages."""
        maps = frames.contiguous(memory_format=torch.channels_last)
        for number in range(self._used + 1):
            with torch.set_grad_enabled(torch.is_grad_enabled() and number >= self._first_trained):
                maps = self.stage(number, maps) if number else self.stem(maps)
        return maps


class _Layout(NamedTuple):
    """Where a published file keeps the ResNet: the entry in the file, and what stands before its names."""

    entry: str | None
    prefix: str


_LAYOUTS: Mapping[str, _Layout] = MappingProxyType(
    {
        "byol": _Layout("model", "module.encoder."),
        "mocov2": _Layout("state_dict", "module.encoder_q."),
        "simclr": _Layout("state_dict", "encoder."),
        "supervised": _Layout(None, ""),  # torchvision's and timm's own files
    }
)
_COUNTER = "num_batches_tracked"


def load_backbone(backbone: FrameBackbone, path: Path, origin: BackboneOrigin) -> None:
    """Loads a ResNet's convolutions and batch norms; whatever else the file holds is passed over.

    Args:
        backbone: Receives the weights.
        path: ``BYOL_1000.pth``, ``moco_v2_200ep_pretrain.pth.tar``, ``simclr_imagenet.ckpt``, or a ResNet-50
            of torchvision or timm (``.pth``, ``.safetensors``).
        origin: Which of these it is.

    Raises:
        InputError: The file cannot be read, or holds no such ResNet.
    """
    layout, own = _LAYOUTS[origin], backbone.state_dict()
    weights = state_dict_in(read_content(path), path, layout.entry)
    state = {
        name.removeprefix(layout.prefix): value
        for name, value in weights.items()
        if name.startswith(layout.prefix)
    }
    missing = [name for name in own if name not in state and not name.endswith(_COUNTER)]
    if missing:
        raise InputError(
            f"{path} does not hold the weights of a {origin} ResNet: {some_of(missing)} are missing (looked "
            f"for with {layout.prefix!r} in front). Remedy: name the right kind of file in backbone_origin."
        )
    _check_shapes(state, own, path)
    backbone.load_state_dict({name: state.get(name, value) for name, value in own.items()})


def _check_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    others = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if others:
        raise InputError(f"{path} holds a ResNet of another size: {some_of(others)}.")
