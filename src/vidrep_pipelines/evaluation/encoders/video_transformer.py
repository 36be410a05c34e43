"""Transformers over the patches of clips: V-JEPA 2 (arXiv 2506.09985), V-JEPA 2.1, VideoMAE (2203.12602)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.evaluation.encoders.protocol import grid_of

Grid = tuple[int, int, int]
ClipPositions = Literal["sines", "rotary", "rotary_scaled"]

_BASE = 10000.0
_TRAINED_SIDE = 16
"""Patches along a side of the pictures of 256 pixels that V-JEPA 2.1's positions are scaled to."""


@dataclass(frozen=True)
class VideoTransformerSizes:
    """Architecture of a transformer over tubelets, boxes of ``tubelet`` frames and ``patch_size`` pixels.

    Attributes:
        dimension: Width of the tokens D.
        depth: Number of blocks.
        heads: Attention heads.
        hidden: Width of the perceptrons.
        patch_size: Side of a patch in pixels.
        tubelet: Frames of a tubelet.
        positions: ``sines``: VideoMAE's table, one sine for all tokens of ``grid``, resampled bicubically to
            the picture; ``rotary``: V-JEPA 2's, by the places in the grid; ``rotary_scaled``: V-JEPA 2.1's,
            rows and columns scaled to a grid of 16.
        grid: Tubelets along time, rows and columns that ``sines`` are made for.
        epsilon: Of the norms.
        normed: Whether a norm follows the last block.
    """

    dimension: int
    depth: int
    heads: int
    hidden: int
    patch_size: int
    tubelet: int
    positions: ClipPositions
    grid: Grid = (8, 14, 14)
    epsilon: float = 1e-6
    normed: bool = True


def sine_table(places: int, dimension: int) -> Tensor:
    """(places, dimension): sines in even channels, cosines in odd ones, of place / 10000^(2 floor(j/2) / D).

    The encoding of words (Vaswani et al. 2017), which VideoMAE and RVM give to patches counted row by row.
    """
    exponents = 2 * (torch.arange(dimension, dtype=torch.float64) // 2) / dimension
    angles = torch.arange(places, dtype=torch.float64)[:, None] / _BASE**exponents
    return torch.where(torch.arange(dimension) % 2 == 0, angles.sin(), angles.cos()).float()


class Rotation:
    """Turns pairs of channels of queries and keys by angles that grow with time, row and column.

    A third of a head's channels, rounded down to an even number, belongs to each axis; what is left over is
    not turned. V-JEPA 2 gives the first half of an axis' pairs the frequencies that neighboring pairs should
    share, and the second half the same ones again; its weights were trained so, and 2.1 does it right.

    Args:
        grid: Tubelets along time, rows and columns.
        channels: Channels of a head.
        scaled: Scale rows and columns to the grid of the training, and let the channels of a pair turn alike.
        device: Where the tables are.
    """

    def __init__(self, grid: Grid, channels: int, scaled: bool, device: torch.device) -> None:
        axis = 2 * (channels // 3 // 2)
        times, rows, columns = (torch.arange(count, dtype=torch.float32, device=device) for count in grid)
        if scaled:
            rows, columns = (
                places * ((_TRAINED_SIDE - 1) / max(len(places) - 1, 1)) for places in (rows, columns)
            )
        frequencies = _BASE ** -(torch.arange(axis // 2, device=device) / (axis / 2))
        angles = []
        for places in torch.meshgrid(times, rows, columns, indexing="ij"):
            turned = places.flatten()[:, None] * frequencies
            angles.append(turned.repeat_interleave(2, dim=1) if scaled else turned.repeat(1, 2))
        every = torch.cat(angles, dim=1)
        self.cosines, self.sines = every.cos(), every.sin()

    def __call__(self, values: Tensor) -> Tensor:
        """Queries or keys (B, heads, N, channels), turned."""
        count = self.cosines.shape[1]
        placed, rest = values[..., :count], values[..., count:]
        swapped = torch.stack([-placed[..., 1::2], placed[..., 0::2]], dim=-1).flatten(-2)
        turned = placed * self.cosines.to(values.dtype) + swapped * self.sines.to(values.dtype)
        return torch.cat([turned, rest], dim=-1)


class ClipAttention(nn.Module):
    """Self-attention whose queries and keys may be turned."""

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dimension, 3 * dimension)
        self.proj = nn.Linear(dimension, dimension)

    def forward(self, tokens: Tensor, rotation: Rotation | None) -> Tensor:
        """Tokens (B, N, D) to the same shape."""
        queries, keys, values = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if rotation is not None:
            queries, keys = rotation(queries), rotation(keys)
        mixed = F.scaled_dot_product_attention(queries, keys, values)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class ClipBlock(nn.Module):
    """Pre-norm attention and perceptron."""

    def __init__(self, sizes: VideoTransformerSizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.dimension, eps=sizes.epsilon)
        self.attn = ClipAttention(sizes.dimension, sizes.heads)
        self.norm2 = nn.LayerNorm(sizes.dimension, eps=sizes.epsilon)
        self.mlp = nn.Sequential()
        self.mlp.add_module("fc1", nn.Linear(sizes.dimension, sizes.hidden))
        self.mlp.add_module("act", nn.GELU())
        self.mlp.add_module("fc2", nn.Linear(sizes.hidden, sizes.dimension))

    def forward(self, tokens: Tensor, rotation: Rotation | None) -> Tensor:
        """Tokens (B, N, D) to the same shape."""
        tokens = tokens + self.attn(self.norm1(tokens), rotation)
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


class VideoTransformer(nn.Module):
    """Tubelets, their positions, blocks, a norm. The names of its weights are those of V-JEPA 2's authors.

    Args:
        sizes: The architecture.
    """

    def __init__(self, sizes: VideoTransformerSizes) -> None:
        super().__init__()
        self.sizes = sizes
        box = (sizes.tubelet, sizes.patch_size, sizes.patch_size)
        self.patch_embed = nn.Sequential()
        self.patch_embed.add_module("proj", nn.Conv3d(3, sizes.dimension, box, stride=box))
        self.blocks = nn.ModuleList(ClipBlock(sizes) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.dimension, eps=sizes.epsilon) if sizes.normed else nn.Identity()

    def forward(self, clips: Tensor) -> Tensor:
        """Normalized clips (B, T, 3, H, W) to tokens (B, D, T / tubelet, H / patch, W / patch)."""
        maps = self.patch_embed(clips.transpose(1, 2))
        _, _, *grid = maps.shape
        tokens = maps.flatten(2).transpose(1, 2)
        rotation = None
        if self.sizes.positions == "sines":
            tokens = tokens + self._table((grid[0], grid[1], grid[2])).to(tokens)
        else:
            channels = self.sizes.dimension // self.sizes.heads
            scaled = self.sizes.positions == "rotary_scaled"
            rotation = Rotation((grid[0], grid[1], grid[2]), channels, scaled, tokens.device)
        for block in self.blocks:
            tokens = block(tokens, rotation)
        result: Tensor = self.norm(tokens).transpose(1, 2).unflatten(2, tuple(grid))
        return result

    def _table(self, grid: Grid) -> Tensor:
        """(N, D) for a grid, of which only rows and columns may differ from those of the training."""
        times, rows, columns = self.sizes.grid
        table = sine_table(times * rows * columns, self.sizes.dimension)
        if grid == self.sizes.grid:
            return table
        maps = table.reshape(times, rows, columns, -1).movedim(-1, 1)
        return F.interpolate(maps, size=grid[1:], mode="bicubic").movedim(1, -1).flatten(0, 2)


class ClipEncoder(nn.Module):
    """A transformer over clips as a video encoder: windows side by side, each frame gets features of its own.

    A tubelet has features for its frames together; between the middles of tubelets they are interpolated, as
    the authors of RVM compare such encoders. A last window that would be cut short starts earlier instead, so
    that no frame is made up (there, zeros are appended).

    Args:
        name: How reports call the encoder.
        transformer: The network.
        window: Frames of a window.
        mean: What was subtracted from red, green and blue (0 to 1) in its training.
        std: What they were divided by.

    Raises:
        ConfigurationError: The window is no whole number of tubelets.
    """

    def __init__(
        self,
        name: str,
        transformer: VideoTransformer,
        *,
        window: int,
        mean: Triple = IMAGENET_MEAN,
        std: Triple = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name, self.window, self.mean, self.std = name, window, mean, std
        self.transformer = transformer
        self.stride = transformer.sizes.patch_size
        if window % transformer.sizes.tubelet:
            raise ConfigurationError(
                f"encoders.known.{name}.window: {window} frames are no multiple of the "
                f"{transformer.sizes.tubelet} that it looks at together."
            )

    @torch.no_grad()
    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Normalized frames (B, T, 3, H, W) to features (B, T, D, H / stride, W / stride), and no state.

        Raises:
            InputError: H or W is not a multiple of the stride, or T is less than the window.
        """
        grid_of(frames, self.stride)
        count = frames.shape[1]
        if count < self.window:
            raise InputError(
                f"{self.name} looks at {self.window} frames together, and the video has {count}. Remedy: "
                f"leave shorter videos out, or, if it is a V-JEPA, lower encoders.known.{self.name}.window."
            )
        parts = []
        for start in range(0, count, self.window):
            first = min(start, count - self.window)
            parts.append(self._window_features(frames[:, first : first + self.window])[:, start - first :])
        return torch.cat(parts, dim=1), None

    def _window_features(self, clips: Tensor) -> Tensor:
        """(B, window, 3, H, W) to (B, window, D, h, w)."""
        maps = self.transformer(clips)
        frames = F.interpolate(maps, size=(self.window, *maps.shape[3:]), mode="trilinear")
        return frames.transpose(1, 2)
