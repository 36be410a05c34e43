"""The tokenizer ``dino``: a vision transformer whose codes explain the features of a self-supervised one."""

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.models.layers.vector_quantizer import code_counts
from vidrep_pipelines.models.voc.tokenizers.dino.config import TransformerConfig, VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.dino.quantizer import DirectionQuantizer

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
        return latents.reshape(len(latents), self.grid, self.grid, -1)

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
        chosen, codes, directions = self.quantizer(self.latents(images))
        entries = chosen.movedim(-1, 1)
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
