"""Inflated Inception (I3D), the action-recognition network whose features videos are compared by.

Carreira and Zisserman 2017, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset". The parts
have the names of the published PyTorch weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Size = tuple[int, int, int]
Branches = tuple[int, int, int, int, int, int]
"""Channels of the convolutions of one Inception block: 1x1; 1x1, 3x3; 1x1, 3x3; 1x1 behind the pool."""


@dataclass(frozen=True)
class I3dWidths:
    """How many channels the parts have; the defaults are the published network's.

    Attributes:
        stem: Channels of the three convolutions in front.
        blocks: Channels of the Inception blocks by name, in order.
        classes: Number of classes of the last layer.
    """

    stem: Size = (64, 64, 192)
    blocks: tuple[tuple[str, Branches], ...] = (
        ("3b", (64, 96, 128, 16, 32, 32)),
        ("3c", (128, 128, 192, 32, 96, 64)),
        ("4b", (192, 96, 208, 16, 48, 64)),
        ("4c", (160, 112, 224, 24, 64, 64)),
        ("4d", (128, 128, 256, 24, 64, 64)),
        ("4e", (112, 144, 288, 32, 64, 64)),
        ("4f", (256, 160, 320, 32, 128, 128)),
        ("5b", (256, 160, 320, 32, 128, 128)),
        ("5c", (384, 192, 384, 48, 128, 128)),
    )
    classes: int = 400


class I3d(nn.Module):
    """Maps videos (B, 3, T, 224, 224) in -1..1 to the class scores before the softmax (B, classes).

    T is at least 9: time is divided by eight and then pooled by two.

    Args:
        widths: Channels of the parts.
    """

    def __init__(self, widths: I3dWidths = I3dWidths()) -> None:
        super().__init__()
        first, second, third = widths.stem
        parts: list[tuple[str, nn.Module]] = [
            ("Conv3d_1a_7x7", _Unit(3, first, 7, stride=2)),
            ("MaxPool3d_2a_3x3", _Pool((1, 3, 3), (1, 2, 2))),
            ("Conv3d_2b_1x1", _Unit(first, second, 1)),
            ("Conv3d_2c_3x3", _Unit(second, third, 3)),
            ("MaxPool3d_3a_3x3", _Pool((1, 3, 3), (1, 2, 2))),
        ]
        pools = {"4b": ("MaxPool3d_4a_3x3", 3), "5b": ("MaxPool3d_5a_2x2", 2)}
        inputs = third
        for name, branches in widths.blocks:
            if name in pools:
                pool, size = pools[name]
                parts.append((pool, _Pool((size, size, size), (2, 2, 2))))
            parts.append((f"Mixed_{name}", _Inception(inputs, branches)))
            inputs = branches[0] + branches[2] + branches[4] + branches[5]
        self._order = [name for name, _ in parts]
        for name, part in parts:
            self.add_module(name, part)
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(inputs, widths.classes, 1)})

    def forward(self, video: Tensor) -> Tensor:
        """Scores (B, classes), averaged over time."""
        for name in self._order:
            video = self.get_submodule(name)(video)
        pooled = F.avg_pool3d(video, (2, 7, 7), stride=1)
        scores: Tensor = self.logits["conv3d"](pooled)
        return scores.mean(dim=(2, 3, 4))


class _Unit(nn.Module):
    """A convolution, normalized and rectified; the size is divided by the stride, rounded up."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, size, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3)
        self.kernel, self.stride = (size,) * 3, (stride,) * 3

    def forward(self, video: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv3d(_padded(video, self.kernel, self.stride))))


class _Pool(nn.Module):
    """The largest of each neighborhood. Zeros at the border change nothing: what comes in is rectified."""

    def __init__(self, kernel: Size, stride: Size) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, video: Tensor) -> Tensor:
        return F.max_pool3d(_padded(video, self.kernel, self.stride), self.kernel, self.stride)


class _Inception(nn.Module):
    """Four branches beside one another, joined over the channels."""

    def __init__(self, inputs: int, branches: Branches) -> None:
        super().__init__()
        alone, before_first, first, before_second, second, behind_pool = branches
        self.b0 = _Unit(inputs, alone, 1)
        self.b1a, self.b1b = _Unit(inputs, before_first, 1), _Unit(before_first, first, 3)
        self.b2a, self.b2b = _Unit(inputs, before_second, 1), _Unit(before_second, second, 3)
        self.b3a, self.b3b = _Pool((3, 3, 3), (1, 1, 1)), _Unit(inputs, behind_pool, 1)

    def forward(self, video: Tensor) -> Tensor:
        branches = (
            self.b0(video),
            self.b1b(self.b1a(video)),
            self.b2b(self.b2a(video)),
            self.b3b(self.b3a(video)),
        )
        return torch.cat(branches, dim=1)


def _padded(video: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Zeros around (B, C, T, H, W), an odd one behind: sizes are divided by the stride, rounded up."""
    padding: list[int] = []
    for size, width, step in zip(video.shape[2:], kernel, stride, strict=True):
        missing = max((-(-size // step) - 1) * step + width - size, 0)
        padding = [missing // 2, missing - missing // 2, *padding]  # the last dimension comes first
    return F.pad(video, padding)
