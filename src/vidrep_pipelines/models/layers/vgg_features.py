"""The convolutional trunk of VGG16 (Simonyan & Zisserman 2015), for perceptual distances."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
