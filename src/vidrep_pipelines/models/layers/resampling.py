"""Halving and doubling the resolution of feature maps."""

from torch import Tensor, nn
from torch.nn import functional as F


class Downsample(nn.Module):
    """A 3x3 convolution of stride 2, (N, C, H, W) to (N, C, H / 2, W / 2).

    Zeros are added on the right and at the bottom only, as the VQGAN family does.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to (N, C, H / 2, W / 2)."""
        output: Tensor = self.convolution(F.pad(features, (0, 1, 0, 1)))
        return output


class Upsample(nn.Module):
    """Every position four times, then a 3x3 convolution, (N, C, H, W) to (N, C, 2 H, 2 W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to (N, C, 2 H, 2 W)."""
        output: Tensor = self.convolution(F.interpolate(features, scale_factor=2.0, mode="nearest"))
        return output
