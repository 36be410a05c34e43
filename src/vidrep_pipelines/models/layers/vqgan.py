"""Encoder and decoder of single frames, as VQGAN has them.

Source: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis", appendix A. Modules are
registered in the order of the published ones, so that optimizer states keep their numbering.
"""

from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.models.layers.transformer import attend
from vidrep_pipelines.models.layers.vqgan_config import VqganConfig


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """Group normalization with the family's epsilon."""
    return nn.GroupNorm(groups, channels, eps=1e-6)


class ResidualBlock(nn.Module):
    """Two rounds of norm, SiLU and 3x3 convolution beside a shortcut, (N, C, H, W) to (N, D, H, W).

    Source: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis", appendix A.

    Args:
        inputs: Channels C.
        outputs: Channels D; the shortcut is a 1x1 convolution where they differ.
        groups: Groups of the normalizations.
        dropout: Probability of dropping a value before the second convolution.
    """

    def __init__(self, inputs: int, outputs: int, groups: int = 32, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = group_norm(inputs, groups)
        self.convolution1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = group_norm(outputs, groups)
        self.dropout = nn.Dropout(dropout)
        self.convolution2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to (N, D, H, W)."""
        hidden = self.convolution1(F.silu(self.norm1(features)))
        hidden = self.convolution2(self.dropout(F.silu(self.norm2(hidden))))
        output: Tensor = self.shortcut(features) + hidden
        return output


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


class SpatialAttention(nn.Module):
    """One head of attention over all positions beside a shortcut, (N, C, H, W) to the same shape.

    Source: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis", appendix A.

    Args:
        channels: Channels C.
        groups: Groups of the normalization.
    """

    def __init__(self, channels: int, groups: int = 32) -> None:
        super().__init__()
        self.norm = group_norm(channels, groups)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.output = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to the same shape."""
        normal = self.norm(features)
        query, key, value = (
            rearrange(project(normal), "n c h w -> n (h w) c")
            for project in (self.query, self.key, self.value)
        )
        attended = attend(query, key, value, heads=1)
        output: Tensor = features + self.output(
            rearrange(attended, "n (h w) c -> n c h w", h=features.shape[2])
        )
        return output


class Level(nn.Module):
    """All that happens at one resolution: residual blocks, each followed by attention if there is any.

    Args:
        widths: Channels before the first block and after each block.
        config: The architecture.
        attention: Whether attention follows every block.
        resample: Changes the resolution at the end.
    """

    def __init__(
        self, widths: list[int], config: VqganConfig, *, attention: bool, resample: nn.Module | None
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(inputs, outputs, config.groups, config.dropout)
            for inputs, outputs in pairwise(widths)
        )
        self.attentions = nn.ModuleList(
            SpatialAttention(width, config.groups) for width in widths[1:] if attention
        )
        self.resample = nn.Identity() if resample is None else resample

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to (N, D, H', W')."""
        for number, block in enumerate(self.blocks):
            features = block(features)
            if self.attentions:
                features = self.attentions[number](features)
        output: Tensor = self.resample(features)
        return output


class Middle(nn.Module):
    """Attention between two residual blocks, at the lowest resolution."""

    def __init__(self, width: int, config: VqganConfig) -> None:
        super().__init__()
        self.before = ResidualBlock(width, width, config.groups, config.dropout)
        self.attention = SpatialAttention(width, config.groups)
        self.after = ResidualBlock(width, width, config.groups, config.dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to the same shape."""
        output: Tensor = self.after(self.attention(self.before(features)))
        return output


class FrameEncoder(nn.Module):
    """Frames (N, 3, S, S) to features (N, Z, h, w)."""

    def __init__(self, config: VqganConfig) -> None:
        super().__init__()
        widths = [config.width, *(config.width * multiplier for multiplier in config.width_multipliers)]
        last = len(widths) - 2
        self.convolution_in = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.levels = nn.ModuleList(
            Level(
                [inputs] + [outputs] * config.residual_blocks,
                config,
                attention=config.image_size // 2**number in config.attention_resolutions,
                resample=Downsample(outputs) if number < last else None,
            )
            for number, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.middle = Middle(widths[-1], config)
        self.norm_out = group_norm(widths[-1], config.groups)
        self.convolution_out = nn.Conv2d(widths[-1], config.latent_channels, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N, 3, S, S) in normalized pixels to features (N, Z, h, w)."""
        features = self.convolution_in(frames.contiguous(memory_format=torch.channels_last))
        for level in self.levels:
            features = level(features)
        output: Tensor = self.convolution_out(F.silu(self.norm_out(self.middle(features))))
        return output


class FrameDecoder(nn.Module):
    """Features (N, Z, h, w) to frames (N, 3, S, S). Level 0, of full resolution, comes last."""

    def __init__(self, config: VqganConfig) -> None:
        super().__init__()
        widths = [config.width * multiplier for multiplier in config.width_multipliers]
        self.convolution_in = nn.Conv2d(config.latent_channels, widths[-1], 3, padding=1)
        self.middle = Middle(widths[-1], config)
        self.levels = nn.ModuleList(
            Level(
                [inputs] + [outputs] * (config.residual_blocks + 1),
                config,
                attention=config.image_size // 2**number in config.attention_resolutions,
                resample=Upsample(outputs) if number else None,
            )
            for number, (outputs, inputs) in enumerate(zip(widths, [*widths[1:], widths[-1]], strict=True))
        )
        self.norm_out = group_norm(widths[0], config.groups)
        self.convolution_out = nn.Conv2d(widths[0], config.channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, Z, h, w) to frames (N, 3, S, S) in normalized pixels, unbounded."""
        features = self.convolution_in(features.contiguous(memory_format=torch.channels_last))
        features = self.middle(features)
        for level in reversed(self.levels):
            features = level(features)
        output: Tensor = self.convolution_out(F.silu(self.norm_out(features)))
        return output
