"""The tokenizer ``dino``: a vision transformer whose codes explain the features of a self-supervised one."""

from dataclasses import dataclass
from functools import partial

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.models.layers.vector_quantizer import Exchange, VectorQuantizer
from vidrep_pipelines.models.shared.code_counts import code_counts
from vidrep_pipelines.models.voc.tokenizers.dino.config import TransformerConfig, VqkdConfig


@torch.no_grad()
def spherical_kmeans(samples: Tensor, means: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Clusters unit vectors by their cosine (Dhillon & Modha 2001, "Concept decompositions").

    Args:
        samples: (N, D) of length 1.
        means: (K, D) of length 1 to start from.
        iterations: Rounds of assignment and averaging.

    Returns:
        Means (K, D) of length 1, where a cluster without samples keeps its mean; and how many samples the
        last assignment gave to each, (K,) in float32.
    """
    counts = samples.new_zeros(len(means))
    for _ in range(iterations):
        codes = (samples @ means.T).argmax(dim=1)
        counts = torch.bincount(codes, minlength=len(means)).to(samples)
        means = mean_directions(samples, codes, counts, means)
    return means, counts


def mean_directions(samples: Tensor, codes: Tensor, counts: Tensor, otherwise: Tensor) -> Tensor:
    """Directions (K, D) of the means of samples (N, D) by their codes (N,); ``otherwise`` where none are."""
    sums = torch.zeros_like(otherwise).index_add_(0, codes, samples)
    used = counts[:, None] > 0
    return torch.where(used, F.normalize(sums / counts.clamp(min=1)[:, None], dim=-1), otherwise)


class DirectionQuantizer(nn.Module):
    """Replaces the direction of a vector by the nearest code.

    Every forward pass of a training only collects what it saw (:meth:`observe`); :meth:`update` then moves
    the codes once for all of it, so that neither the number of processes nor accumulation changes the result.

    Args:
        size: Codes K.
        dimension: Channels D.

    Attributes:
        codes: Holds the vectors (K, D) of the codes, of length 1, in its ``codebook``.
        counts: (K,) moving average of the uses of each code per update.
        initialized: (1,) 1 once the codes come from data, else 0.
        spare_counts: (K,) kept for the published layout, which has it; nothing reads it.
        spare_sums: (K, D) likewise.
    """

    counts: Tensor
    initialized: Tensor
    spare_counts: Tensor
    spare_sums: Tensor

    def __init__(self, size: int, dimension: int) -> None:
        super().__init__()
        self.codes = VectorQuantizer(size, dimension, trainable=False)
        self.codes.codebook.copy_(F.normalize(torch.randn(size, dimension), dim=-1))
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("initialized", torch.zeros(1))
        self.register_buffer("spare_counts", torch.zeros(size))
        self.register_buffer("spare_sums", torch.zeros(size, dimension))
        # Not a buffer: DistributedDataParallel would overwrite it by that of the first process.
        self._observed: list[Tensor] = []

    def directions(self, vectors: Tensor) -> Tensor:
        """Vectors (..., D) at length 1, in float32."""
        return F.normalize(vectors.float(), dim=-1)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantizes.

        Args:
            vectors: (..., D).

        Returns:
            The codes' vectors (..., D), through which the gradient passes to the directions; the codes (...);
            the directions (..., D).
        """
        entries, codes, directions = self.codes(self.directions(vectors))
        return entries, codes, directions

    @torch.no_grad()
    def initialize(self, directions: Tensor, generator: torch.Generator, iterations: int) -> None:
        """Sets the codes to clusters of directions (N, D), from samples drawn as first means."""
        size, samples = self.codes.size, directions.float()
        if len(samples) >= size:
            first = torch.randperm(len(samples), generator=generator)[:size]
        else:
            first = torch.randint(len(samples), (size,), generator=generator)
        means, counts = spherical_kmeans(samples, samples[first.to(samples.device)], iterations)
        self.codes.codebook.copy_(means)
        self.counts.copy_(counts)
        self.initialized.fill_(1.0)

    @torch.no_grad()
    def observe(self, directions: Tensor, codes: Tensor) -> None:
        """Collects the sum of the directions (N, D) of each code (N,), and how many there are."""
        weights = F.pad(directions.float(), (0, 1), value=1.0)
        empty = weights.new_zeros(self.codes.size, weights.shape[1])
        self._observed.append(empty.index_add_(0, codes, weights))

    @torch.no_grad()
    def update(self, decay: float, gather: Exchange) -> None:
        """Moves codes and counts by what was observed since the last call. Every process must call this.

        Args:
            decay: Decay of the moving averages.
            gather: Concatenates the tensors of all processes along the first dimension.
        """
        seen = gather(torch.stack(self._observed).sum(dim=0)[None]).sum(dim=0)
        self._observed = []
        sums, counts = seen[:, :-1], seen[:, -1]
        used = counts[:, None] > 0
        moved = decay * self.codes.codebook + (1 - decay) * F.normalize(sums, dim=-1)
        stayed = F.normalize(self.codes.codebook, dim=-1)
        self.codes.codebook.copy_(torch.where(used, F.normalize(moved, dim=-1), stayed))
        self.count(counts, decay)

    @torch.no_grad()
    def count(self, counts: Tensor, decay: float) -> None:
        """Moves the average uses of the codes toward counts (K,)."""
        self.counts.lerp_(counts.to(self.counts), 1 - decay)


_EVALUATION_DECAY = 0.99


@dataclass(frozen=True)
class VqkdOutputs:
    """Predicted features and the codes they were predicted from.

    Attributes:
        features: (N, h * h, F) what the teacher should see.
        entries: (N, D, h, h) the codes' vectors, with the gradient of the directions.
        codes: (N, h, h) int64.
        directions: (N, h, h, D) latents of length 1.
    """

    features: Tensor
    entries: Tensor
    codes: Tensor
    directions: Tensor


class VqkdTokenizer(nn.Module):
    """VQ-KD (Peng et al. 2022, "BEiT v2", arXiv 2208.06366).

    The transformers are timm's BEiT with its names, which are those of the published files.

    Args:
        config: The architecture.
    """

    def __init__(self, config: VqkdConfig) -> None:
        super().__init__()
        self.config, self.pixels, self.grid = config, config.pixels, config.grid
        D, E, F = config.code_dimension, config.encoder.dimension, config.decoder.dimension
        self.encoder = _beit(config.encoder, config.pixels.size, config.patch_size, channels=3)
        self.decoder = _beit(config.decoder, config.grid, patch_size=1, channels=D)
        self.quantizer = DirectionQuantizer(config.vocabulary, D)
        self.to_latents = nn.Sequential(nn.Linear(E, E), nn.Tanh(), nn.Linear(E, D))
        self.to_features = nn.Sequential(nn.Linear(F, F), nn.Tanh(), nn.Linear(F, config.teacher_dimension))

    @property
    def vocabulary(self) -> int:
        """Number of codes K."""
        return self.config.vocabulary

    @property
    def codebook(self) -> Tensor:
        """(K, D) vectors of the codes, of length 1."""
        return self.quantizer.codes.codebook

    def patch_features(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to the encoder's features (N, h * h, E).

        Raises:
            InputError: The pictures are of another size.
        """
        if images.shape[1:] != (3, self.pixels.size, self.pixels.size):
            raise InputError(
                f"The tokenizer takes pictures (N, 3, {self.pixels.size}, {self.pixels.size}), not "
                f"{tuple(images.shape)}. Remedy: prepare the frames with the tokenizer's pixels."
            )
        return _patch_features(self.encoder, images)

    def latents(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to latents (N, h, h, D), of any length."""
        latents: Tensor = self.to_latents(self.patch_features(images))
        return rearrange(latents, "n (h w) d -> n h w d", h=self.grid, w=self.grid)

    def encode(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to codes (N, h, h)."""
        codes = self.quantizer.codes.nearest(self.quantizer.directions(self.latents(images)))
        if self.config.counting == "always":
            self.quantizer.count(code_counts(codes, self.vocabulary), _EVALUATION_DECAY)
        return codes

    def decode_features(self, entries: Tensor) -> Tensor:
        """Codes' vectors (N, D, h, h) to predicted features (N, h * h, F)."""
        features: Tensor = self.to_features(_patch_features(self.decoder, entries))
        return features

    def forward(self, images: Tensor) -> VqkdOutputs:
        """Pictures (N, 3, S, S) to codes and on to the teacher's features."""
        vectors, codes, directions = self.quantizer(self.latents(images))
        entries = rearrange(vectors, "n h w d -> n d h w")
        return VqkdOutputs(self.decode_features(entries), entries, codes, directions)


def _beit(config: TransformerConfig, side: int, patch_size: int, channels: int) -> nn.Module:
    transformer: nn.Module = timm.models.beit.Beit(
        img_size=side,
        patch_size=patch_size,
        in_chans=channels,
        embed_dim=config.dimension,
        depth=config.depth,
        num_heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        num_classes=0,
        global_pool="avg",  # leaves the blocks' output as it is; fc_norm follows below
        qkv_bias=True,
        init_values=None,
        use_abs_pos_emb=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    return transformer


def _patch_features(transformer: nn.Module, maps: Tensor) -> Tensor:
    """Maps (N, C, H, H) to normalized tokens (N, h * h, E), without the CLS token."""
    tokens: Tensor = transformer.forward_features(maps)  # type: ignore[operator]
    normalized: Tensor = transformer.get_submodule("fc_norm")(tokens[:, 1:])
    return normalized
