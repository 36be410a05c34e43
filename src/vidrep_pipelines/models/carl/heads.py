"""What turns features of frames into embeddings: a transformer over time, or a small network per frame."""

import copy
from functools import lru_cache

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from vidrep_pipelines.models.carl.config import CarlModelConfig

_BASE = 10000.0


@lru_cache(maxsize=64)
def frame_positions(frames: int, trained_frames: int, width: int) -> Tensor:
    """Sine in even channels, cosine in odd ones, of ``position / 10000 ** (channel / width)``.

    Positions are numbered from 0; those of a clip that is not as long as the training views are spread
    evenly over 0 .. ``trained_frames - 1``. The exponent of a cosine is its own channel's, as published, not
    that of the sine beside it.

    Args:
        frames: S, frames of the clip.
        trained_frames: T, frames of a training view.
        width: D.

    Returns:
        (S, D) float64 on the CPU; shared between calls, not to be changed.
    """
    position = _numbered(frames, trained_frames)
    channel = torch.arange(width)
    angle = position[:, None] / _BASE ** (channel.double() / width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())


@lru_cache(maxsize=64)
def frame_rotations(frames: int, trained_frames: int, width: int) -> Tensor:
    """Angles of rotary positions (Su et al., RoFormer, arXiv 2104.09864): ``position / T ** (2 i / width)``.

    Positions are numbered as in :func:`frame_positions`; the slowest pair turns once in about six views.

    Args:
        frames: S, frames of the clip.
        trained_frames: T, frames of a training view.
        width: Channels of an attention head, even.

    Returns:
        (S, width / 2) float64 on the CPU; shared between calls, not to be changed.
    """
    pair = torch.arange(0, width, 2).double()
    return _numbered(frames, trained_frames)[:, None] / trained_frames ** (pair / width)


def _numbered(frames: int, trained_frames: int) -> Tensor:
    """(S,) positions of the frames of a clip."""
    if frames == trained_frames:
        return torch.arange(frames, dtype=torch.float64)
    return torch.linspace(0, trained_frames - 1, frames, dtype=torch.float64)


_SMALLEST_VARIANCE = 1e-5


class MaskedAttention(nn.Module):
    """Frames attend to the real frames of their clip, (B, T, D) to the same shape.

    Args:
        width: Channels D.
        heads: A divisor of D; heads are contiguous slices of the channels.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None, rotations: Tensor | None = None) -> Tensor:
        """Attends.

        Args:
            tokens: (B, T, D).
            mask: (B, 1, 1, T), true where a frame may be attended to. None: everywhere.
            rotations: (T, D / heads / 2) angles by which queries and keys are turned. None: not at all.
        """
        query, key, value = (
            rearrange(layer(tokens), "b t (heads d) -> b heads t d", heads=self.heads)
            for layer in (self.query, self.key, self.value)
        )
        if rotations is not None:
            query, key = _rotated(query, rotations), _rotated(key, rotations)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        output: Tensor = self.output(rearrange(attended, "b heads t d -> b t (heads d)"))
        return output


class TransformerLayer(nn.Module):
    """Attention and a perceptron, each behind a norm and beside a shortcut; dropout on what is added.

    torch's own layer also drops attention weights and hidden activations, which the published one does not.
    """

    def __init__(self, config: CarlModelConfig) -> None:
        super().__init__()
        width = config.token_width
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = MaskedAttention(width, config.heads)
        self.expand = nn.Linear(width, config.feedforward_width)
        self.contract = nn.Linear(config.feedforward_width, width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None, rotations: Tensor | None = None) -> Tensor:
        """Tokens (B, T, D) to the same shape."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens), mask, rotations))
        hidden = torch.relu(self.expand(self.feedforward_norm(tokens)))
        output: Tensor = tokens + self.dropout(self.contract(hidden))
        return output


class TransformerHead(nn.Module):
    """Pools every frame's maps and relates the frames, (B, T, C) to embeddings (B, T, D)."""

    def __init__(self, config: CarlModelConfig) -> None:
        super().__init__()
        self._config = config
        hidden = config.hidden_width
        self.perceptrons = nn.Sequential(
            *(
                layer
                for inputs in (config.feature_width, hidden)
                for layer in (
                    nn.Dropout(config.dropout),
                    nn.Linear(inputs, hidden),
                    nn.BatchNorm1d(hidden),
                    nn.ReLU(),
                )
            )
        )
        self.to_tokens = nn.Linear(hidden, config.token_width)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))
        self._initialize()
        self.to_embedding = nn.Linear(config.token_width, config.embedding_width)

    def _initialize(self) -> None:
        for parameter in self.layers.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
        if self._config.identical_layers:
            first = self.layers[0]
            self.layers = nn.ModuleList([first, *(copy.deepcopy(first) for _ in self.layers[1:])])

    def pool(self, maps: Tensor) -> Tensor:
        """Maps (N, 1, C, h, w) to their maxima (N, C)."""
        return maps.amax(dim=(1, 3, 4))

    def forward(self, pooled: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embeds the frames of clips.

        Args:
            pooled: (B, T, C).
            mask: (B, T) 1 for real frames, 0 for padding, which nobody attends to. None: all are real.

        Returns:
            (B, T, D), not normalized.
        """
        config, rotations = self._config, None
        if config.standardize_features:
            pooled = _standardized(pooled, mask)
        tokens = self.to_tokens(self.perceptrons(pooled.flatten(0, 1))).unflatten(0, pooled.shape[:2])
        if config.positions == "clip":
            tokens = tokens + frame_positions(pooled.shape[1], config.frames, config.token_width).to(tokens)
        elif config.positions == "relative":
            angles = frame_rotations(pooled.shape[1], config.frames, config.token_width // config.heads)
            rotations = angles.to(tokens)
        tokens = self.dropout(tokens)
        visible = None if mask is None else _visible(mask)[:, None, None]
        for layer in self.layers:
            tokens = layer(tokens, visible, rotations)
        output: Tensor = self.to_embedding(tokens)
        return output


def _standardized(pooled: Tensor, mask: Tensor | None) -> Tensor:
    """(B, T, C) with mean 0 and deviation 1 over the real frames of each clip; constant channels become 0."""
    values = pooled.float()
    weights = values.new_ones(pooled.shape[:2]) if mask is None else _visible(mask).to(values)
    weights = (weights / weights.sum(dim=1, keepdim=True))[..., None]
    centered = values - (weights * values).sum(dim=1, keepdim=True)
    variance = (weights * centered.square()).sum(dim=1, keepdim=True)
    return centered * (variance + _SMALLEST_VARIANCE).rsqrt()


def _rotated(vectors: Tensor, rotations: Tensor) -> Tensor:
    """(B, H, T, d) with each pair of channels (i, i + d / 2) turned by the angle of its frame."""
    first, second = vectors.chunk(2, dim=-1)
    cosine, sine = rotations.cos(), rotations.sin()
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def _visible(mask: Tensor) -> Tensor:
    """The mask (B, T) as booleans, true throughout a view without a single real frame.

    Such a view counts for nothing in the loss, but attention to nothing would not be a number.
    """
    real = mask.bool()
    return real | ~real.any(dim=1, keepdim=True)


class LocalHead(nn.Module):
    """Maximum over context frames and places, then perceptrons, (B, T, C) to (B, T, D).

    With ``encoder: conv`` two 3D convolutions come before the maximum (TCC, arXiv 1904.07846, section 4).
    """

    def __init__(self, config: CarlModelConfig) -> None:
        super().__init__()
        width = config.feature_width
        self.convolutions: nn.Sequential | None = None
        if config.encoder == "conv":
            self.convolutions = _convolutions(width, config.convolution_width)
            width = config.convolution_width
        self.perceptrons = _perceptrons(width, config)
        self.to_embedding = nn.Linear(config.hidden_width, config.embedding_width)

    def pool(self, maps: Tensor) -> Tensor:
        """Maps (N, K, C, h, w) of positions with K frames each to (N, C'); h and w >= 5 for convolutions."""
        volumes = maps.transpose(1, 2)
        if self.convolutions is not None:
            volumes = self.convolutions(volumes)
        return volumes.amax(dim=(2, 3, 4))

    def forward(self, pooled: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pooled positions (B, T, C') to embeddings (B, T, D), not normalized. Padding changes nothing."""
        output: Tensor = self.to_embedding(self.perceptrons(pooled))
        return output


def _convolutions(inputs: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, width):
        # Time is padded, space is not: 14 x 14 places become 10 x 10.
        convolution = nn.Conv3d(channels, width, kernel_size=3, padding=(1, 0, 0))
        layers += [convolution, nn.BatchNorm3d(width), nn.ReLU()]
    return nn.Sequential(*layers)


def _perceptrons(inputs: int, config: CarlModelConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, config.hidden_width):
        layers += [nn.Dropout(config.dropout), nn.Linear(width, config.hidden_width), nn.ReLU()]
    return nn.Sequential(*layers)
