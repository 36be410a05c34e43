"""The Video Former: a few tokens that stand for what a video model sees in all frames.

Video Prediction Policy (arXiv 2412.14803), section 3.3; its resampler is that of Flamingo (arXiv 2204.14198,
section 2.1). Shapes: features (B, F, N, C) of F frames, the N places of all views in a row; tokens (B, T, d).
"""

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.layers.transformer import SelfAttention, attend
from vidrep_pipelines.models.vpp.policy.config import VideoFormerConfig

_LEAST_SPREAD = 1e-3
"""Standard deviation below which a number of the features counts as constant."""


def features_of_views(features: Tensor, views: int) -> Tensor:
    """Features (V B, F, C, h, w) of V views, the first view's B observations first, to (B, F, V h w, C)."""
    return rearrange(features, "(v b) f c h w -> b f (v h w) c", v=views)


def build_video_former(config: VideoFormerConfig) -> "VideoFormer | ProjectedFeatures | FlatFeatures":
    """The network that a configuration asks for, with random weights."""
    if config.kind == "flat":
        return FlatFeatures(config)
    return ProjectedFeatures(config) if config.kind == "linear" else VideoFormer(config)


class VideoFormer(nn.Module):
    """Learned tokens of each frame attend to the frame's features and, in 3d, to those of other frames."""

    def __init__(self, config: VideoFormerConfig) -> None:
        super().__init__()
        self.config = config
        per_frame, d = config.tokens // config.frames, config.width
        self.latents = nn.Parameter(torch.randn(config.frames, per_frame, d))
        self.frame_positions = nn.Parameter(torch.randn(config.frames, 1, d))
        self.place_positions = _place_positions(config)
        self.embedding = nn.Sequential(nn.Linear(config.features, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.layers = nn.ModuleList(FormerLayer(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(d)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, F, N, C) to tokens (B, T, d), frame by frame.

        Raises:
            InputError: They are of another number of frames or channels.
        """
        _require_features(features, self.config)
        B = len(features)
        embedded = _with_places(self.embedding(features) + self.frame_positions, self.place_positions)
        seen = rearrange(embedded, "b f n d -> (b f) n d")
        tokens = repeat(self.latents, "f q d -> (b f) q d", b=B)
        for layer in self.layers:
            tokens = layer(tokens, seen)
        output: Tensor = self.norm(rearrange(tokens, "(b f) q d -> b (f q) d", b=B))
        return output

    def blocks(self) -> list[nn.Module]:
        """The layers."""
        return list(self.layers)


class ProjectedFeatures(nn.Module):
    """Every feature is a token: the paper's ablation without a Video Former."""

    def __init__(self, config: VideoFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.projection = nn.Linear(config.features, config.width)
        self.place_positions = _place_positions(config)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, F, N, C) to tokens (B, F N, d), frame by frame.

        Raises:
            InputError: They are of another number of frames or channels.
        """
        _require_features(features, self.config)
        return _with_places(self.projection(features), self.place_positions).flatten(1, 2)

    def blocks(self) -> list[nn.Module]:
        """None: it is a single layer."""
        return []


class FlatFeatures(nn.Module):
    """Tokens as a linear map of the principal components of all features of a moment.

    The components are not trained: :meth:`fit` finds them in the features of training items.
    """

    center: Tensor
    basis: Tensor

    def __init__(self, config: VideoFormerConfig) -> None:
        super().__init__()
        self.config = config
        assert config.places is not None and config.components is not None
        numbers = config.frames * config.places * config.features
        self.register_buffer("center", torch.zeros(numbers))
        self.register_buffer("basis", torch.zeros(numbers, config.components))
        self.projection = nn.Linear(config.components, config.tokens * config.width)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, F, N, C) to tokens (B, T, d).

        Raises:
            InputError: They are of another number of frames, places or channels.
        """
        _require_features(features, self.config)
        _require_places(features.shape[2], self.config.places)
        # In single precision, for rare directions are scaled up a thousandfold.
        with torch.autocast(features.device.type, enabled=False):
            components = (features.flatten(1).float() - self.center) @ self.basis
        tokens: Tensor = self.projection(components)
        return tokens.reshape(-1, self.config.tokens, self.config.width)

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Takes over the principal components of features (n, F, N, C), the same ones for the same features.

        Each number is divided by its standard deviation first, so that none counts for its unit.

        Raises:
            ConfigurationError: There are fewer observations than components.
        """
        flat = features.flatten(1).float()
        count = self.basis.shape[1]
        if len(flat) <= count:
            raise ConfigurationError(
                f"{len(flat)} items are too few to find {count} principal components of their features. "
                "Remedy: lower vpp_policy.model.former.components, or take more demonstrations."
            )
        center, spread = flat.mean(0), flat.std(0).clamp_min(_LEAST_SPREAD)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the decomposition begins with random directions
            _, values, directions = torch.pca_lowrank((flat - center) / spread, q=count, center=False)
        deviations = (values / len(flat) ** 0.5).clamp_min(_LEAST_SPREAD)
        self.center.copy_(center)
        self.basis.copy_(directions / spread[:, None] / deviations)

    def blocks(self) -> list[nn.Module]:
        """None: it is a single layer."""
        return []


class FormerLayer(nn.Module):
    """Tokens (B F, q, d) attend to their frame's features, in 3d over the frames, and pass a perceptron."""

    def __init__(self, config: VideoFormerConfig) -> None:
        super().__init__()
        self.frames = config.frames
        self.resampler = Resampler(config.width, config.heads, config.head_width)
        over_frames = config.kind == "3d"
        self.frame_attention = SelfAttention(config.width, config.heads) if over_frames else None
        self.perceptron = FormerPerceptron(config.width)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Tokens (B F, q, d) and embedded features (B F, N, d) to tokens."""
        tokens = tokens + self.resampler(tokens, seen)
        if self.frame_attention is not None:
            over_frames = rearrange(tokens, "(b f) q d -> (b q) f d", f=self.frames)
            # As published, there is no norm before this one.
            over_frames = over_frames + self.frame_attention(over_frames)
            tokens = rearrange(over_frames, "(b q) f d -> (b f) q d", q=tokens.shape[1])
        output: Tensor = tokens + self.perceptron(tokens)
        return output


class Resampler(nn.Module):
    """Tokens attend to features and to one another at once."""

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads, inner = heads, heads * head_width
        self.feature_norm = nn.LayerNorm(width)
        self.token_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inner, bias=False)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner, bias=False)
        self.output = nn.Linear(inner, width, bias=False)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Tokens (N, q, d) and features (N, M, d) to what is added to the tokens."""
        tokens = self.token_norm(tokens)
        both = torch.cat([self.feature_norm(seen), tokens], dim=1)
        attended = attend(self.query(tokens), self.key(both), self.value(both), self.heads)
        output: Tensor = self.output(attended)
        return output


class FormerPerceptron(nn.Module):
    """Norm, linear, exact GELU, linear; without biases."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width, bias=False)
        self.fc2 = nn.Linear(4 * width, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., d) to what is added to them."""
        output: Tensor = self.fc2(F.gelu(self.fc1(self.norm(tokens))))
        return output


def _place_positions(config: VideoFormerConfig) -> nn.Parameter | None:
    return None if config.places is None else nn.Parameter(torch.randn(config.places, config.width))


def _with_places(embedded: Tensor, positions: Tensor | None) -> Tensor:
    """Embedded features (B, F, N, d) that know their places.

    Raises:
        InputError: There are other places than the policy has encodings of.
    """
    if positions is None:
        return embedded
    _require_places(embedded.shape[2], len(positions))
    return embedded + positions


def _require_places(found: int, known: int | None) -> None:
    """Raises InputError unless features have the places that the policy was trained on."""
    if found != known:
        raise InputError(
            f"Features have {found} places, the policy knows {known}. Remedy: give it the views and the grid "
            "that it was trained on."
        )


def _require_features(features: Tensor, config: VideoFormerConfig) -> None:
    """Raises InputError unless features are (B, F, N, C) as configured."""
    fits = features.ndim == 4 and (features.shape[1], features.shape[3]) == (config.frames, config.features)
    if not fits:
        raise InputError(
            f"Features are {tuple(features.shape)}, the Video Former takes (B, {config.frames}, N, "
            f"{config.features}). Remedy: set model.former.frames and model.former.features to what the "
            "features have, or extract those that the policy was trained on."
        )
