"""Weights for the ResNet from files that others publish."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.backbone import FrameBackbone
from vidrep_pipelines.models.carl.config import BackboneOrigin
from vidrep_pipelines.models.shared.weight_file import read_content, some_of, state_dict_in


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
    found = {
        name.removeprefix(layout.prefix): value
        for name, value in weights.items()
        if name.startswith(layout.prefix)
    }
    missing = [name for name in own if name not in found and not name.endswith(_COUNTER)]
    if missing:
        raise InputError(
            f"{path} does not hold the weights of a {origin} ResNet: {some_of(missing)} are missing (looked "
            f"for with {layout.prefix!r} in front). Remedy: name the right kind of file in backbone_origin."
        )
    _check_shapes(found, own, path)
    backbone.load_state_dict({name: found.get(name, value) for name, value in own.items()})


def _check_shapes(found: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    others = [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(value.shape)}"
        for name, value in own.items()
        if name in found and found[name].shape != value.shape
    ]
    if others:
        raise InputError(f"{path} holds a ResNet of another size: {some_of(others)}.")
