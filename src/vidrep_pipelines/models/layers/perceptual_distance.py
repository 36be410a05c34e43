"""LPIPS: a distance of pictures in the feature space of VGG16."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.weight_file import differing_names, read_weights, some_of

VGG16_WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five stages."""

_DEPTHS = (2, 2, 3, 3, 3)


class Vgg16Features(nn.Module):
    """The activations at the end of each of the five stages.

    The convolutions carry torchvision's names (``features.0.weight``), so that its file fits as it is.

    Args:
        widths: Channels of the stages.
    """

    def __init__(self, widths: tuple[int, ...] = VGG16_WIDTHS) -> None:
        super().__init__()
        layers, inputs = list[nn.Module](), 3
        for number, (width, depth) in enumerate(zip(widths, _DEPTHS, strict=True)):
            layers += [nn.MaxPool2d(2)] if number else []
            for _ in range(depth):
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
        self.features = nn.Sequential(*layers)
        self.widths = widths

    def forward(self, images: Tensor) -> Iterator[Tensor]:
        """Standardized images (N, 3, H, W) to five maps (N, widths[k], H / 2**k, W / 2**k), one by one."""
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                yield images
            # Not in place: the maps that were handed out stay as they are.
            images = F.relu(images) if isinstance(layer, nn.ReLU) else layer(images)
        yield images


def initialize_randomly(network: Vgg16Features, seed: int) -> None:
    """Gives the network random weights that keep the scale of activations (He et al. 2015)."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            deviation = (2 / (9 * layer.in_channels)) ** 0.5
            nn.init.normal_(layer.weight, std=deviation, generator=generator)
            nn.init.normal_(layer.get_parameter("bias"), std=0.05, generator=generator)


HOW_TO_GET = (
    "LPIPS needs two files: vgg16-397923af.pth, the ImageNet weights that torchvision publishes, and "
    "vgg.pth, the VGG heads (version 0.1) in the repository richzhang/PerceptualSimilarity."
)

_PUBLISHED = {
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0": "vgg16-397923af.pth",
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868": "vgg.pth",
}
"""SHA-256 of the published files, and their names."""

_log = logging.getLogger(__name__)


def unknown_files(trunk: Path, heads: Path) -> list[str]:
    """One line for each of the two files of LPIPS that is not, byte for byte, the published one.

    Other weights fit the same layout: those of another training, in which distances are others.
    """
    lines = []
    for path, name in ((trunk, "vgg16-397923af.pth"), (heads, "vgg.pth")):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _PUBLISHED.get(digest) != name:
            lines.append(
                f"LPIPS is computed with {path}, which is not the published {name} (SHA-256 "
                f"{digest[:16]}...): its values cannot be compared with those by the published files."
            )
    return lines


_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_SMALLEST_NORM = 1e-10


class PerceptualDistance(nn.Module):
    """LPIPS 0.1, the distance of Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features".

    Its weights are never trained, and it has no mode: dropout, which the original switches on together with
    training, is left out.

    Args:
        widths: Channels of the five stages of the trunk.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, widths: tuple[int, ...] = VGG16_WIDTHS) -> None:
        super().__init__()
        self.trunk = Vgg16Features(widths)
        self.heads = nn.ParameterList(nn.Parameter(torch.empty(width)) for width in widths)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(3, 1, 1), persistent=False)
        self.requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, trunk: Path, heads: Path) -> Self:
        """Builds the published metric from its two files; the log names any that is not the published one.

        Args:
            trunk: VGG16 in torchvision's layout, ``features.<i>.weight`` and ``.bias``; a classifier beside
                them is passed over.
            heads: ``lin<k>.model.1.weight`` (1, C, 1, 1), k = 0..4.

        Raises:
            InputError: A file is absent, damaged, or holds another network.
        """
        distance = cls()
        weights = {k: v for k, v in read_weights(trunk).items() if k.startswith("features.")}
        _check(weights, distance.trunk.state_dict(), trunk)
        distance.trunk.load_state_dict(weights)
        lines = read_weights(heads)
        names = [f"lin{number}.model.1.weight" for number in range(len(distance.heads))]
        rows = zip(names, distance.heads, strict=True)
        _check(lines, {name: head.view(1, -1, 1, 1) for name, head in rows}, heads)
        for head, name in zip(distance.heads, names, strict=True):
            head.copy_(lines[name].flatten())
        for line in unknown_files(trunk, heads):
            _log.warning("%s", line)
        return distance

    @classmethod
    def random(cls, seed: int, widths: tuple[int, ...] = VGG16_WIDTHS) -> Self:
        """Builds a stand-in with random weights, which also compares textures rather than pixels.

        Its values mean nothing beside those of the published metric.
        """
        distance = cls(widths)
        initialize_randomly(distance.trunk, seed)
        for head in distance.heads:
            head.fill_(1 / len(head))
        return distance

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances (N,) of images (N, 3, H, W) to others of the same shape, both in 0..1."""
        maps = zip(self._maps(first), self._maps(second), self.heads, strict=True)
        distances = torch.zeros(len(first), device=first.device)
        for one, other, head in maps:
            difference = (_unit(one.float()) - _unit(other.float())).square()
            distances = distances + torch.einsum("nchw,c->n", difference, head) / difference[0, 0].numel()
        return distances

    def _maps(self, images: Tensor) -> list[Tensor]:
        standardized = (2 * images - 1 - self.shift) / self.scale
        return list(self.trunk(standardized.contiguous(memory_format=torch.channels_last)))


def _unit(features: Tensor) -> Tensor:
    """Divides (N, C, H, W) by the length over the channels."""
    length: Tensor = features.norm(dim=1, keepdim=True)
    return features / (length + _SMALLEST_NORM)


def _check(state: dict[str, Tensor], expected: dict[str, Tensor], path: Path) -> None:
    if problems := differing_names(state, expected):
        raise InputError(f"{path} holds another network: {some_of(problems)} do not fit. {HOW_TO_GET}")
