"""RSP: representations from stochastic frame prediction (Jang et al., ICML 2024, arXiv 2406.07398).

Shapes: images (B, C, H, W); L patches of P values; encoder tokens (B, 1 + L, E) and decoder tokens
(B, 1 + L, D), CLS first; parameters of the latent variable (B, parameter_count), a sample of it (B, Z).
"""

import torch
from torch import Tensor, nn

from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder
from vidrep_pipelines.models.layers.latents import CategoricalLatent, GaussianLatent, Latent
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.layers.tokens import fill_tokens, sine_cosine_positions
from vidrep_pipelines.models.layers.transformer import (
    CrossBlock,
    initialize_linear_layers,
    initialize_patch_embedding,
)
from vidrep_pipelines.models.rsp.config import RspModelConfig


class RspDecoder(nn.Module):
    """Predicts the patches of a frame from a context sequence; one decoder serves both objectives.

    The queries are the mask token at every position, so all that is known about the frame is in the context.
    """

    positions: Tensor

    def __init__(self, config: RspModelConfig, latent_size: int) -> None:
        super().__init__()
        E, D = config.embedding_dimension, config.decoder_dimension
        self.embed_masked = nn.Linear(E, D)
        self.embed_source = nn.Linear(E, D)
        self.embed_latent = nn.Linear(latent_size, D)
        self.mask_token = nn.Parameter(torch.empty(1, 1, D).normal_(std=0.02))
        self.register_buffer("positions", sine_cosine_positions(D, config.grid))
        self.blocks = nn.ModuleList(
            CrossBlock(D, config.decoder_heads, config.mlp_ratio) for _ in range(config.decoder_depth)
        )
        self.norm = nn.LayerNorm(D, eps=1e-6)
        self.to_pixels = nn.Linear(D, config.patch_values)

    def future_context(self, source_tokens: Tensor, sample: Tensor) -> Tensor:
        """Source tokens (B, 1 + L, E) and a sample (B, Z) to (B, 2 + L, D); the latent has no position."""
        latent = self.embed_latent(sample).unsqueeze(1)
        return torch.cat([latent, self.embed_source(source_tokens) + self.positions], dim=1)

    def masked_context(self, visible_tokens: Tensor, keep: Tensor) -> Tensor:
        """Visible tokens (B, 1 + K, E) at positions ``keep`` (B, K) to (B, 1 + L, D).

        The mask token, which is also the decoder's query, fills the removed places.
        """
        tokens = self.embed_masked(visible_tokens)
        places = nn.functional.pad(keep + 1, (1, 0))  # the CLS token stays at position 0
        return fill_tokens(tokens, places, self.mask_token, self.positions.shape[1]) + self.positions

    def forward(self, context: Tensor) -> Tensor:
        """Context (B, M, D) to predicted patches (B, L, P)."""
        tokens = self.mask_token + self.positions  # equal for all samples until the first cross-attention
        for block in self.blocks:
            tokens = block(tokens, context)
        prediction: Tensor = self.to_pixels(self.norm(tokens[:, 1:]))
        return prediction


class RspModel(nn.Module):
    """An image encoder, a prior and a posterior over the latent, and a decoder.

    Only ``encoder`` is kept after pre-training. ``objective.py`` shows how the parts make a loss.
    """

    def __init__(self, config: RspModelConfig) -> None:
        super().__init__()
        self.config = config
        self.latent = make_latent(config)
        E = config.embedding_dimension
        self.encoder = VisionTransformerEncoder(
            image_size=config.image_size,
            patch_size=config.patch_size,
            channels=config.channels,
            dimension=E,
            depth=config.depth,
            heads=config.heads,
            mlp_ratio=config.mlp_ratio,
        )
        self.to_posterior = _head(2 * E, 2 * E, self.latent.parameter_count)
        self.to_prior = _head(E, 2 * E, self.latent.parameter_count)
        self.decoder = RspDecoder(config, self.latent.sample_size)
        use_fast_linear_layers(self)
        self.apply(initialize_linear_layers)
        initialize_patch_embedding(self.encoder.patch_embed.get_submodule("proj"))

    def posterior(self, source_tokens: Tensor, target_tokens: Tensor) -> Tensor:
        """Parameters (B, parameter_count) of the latent, given both frames' tokens (B, 1 + L, E)."""
        parameters: Tensor = self.to_posterior(torch.cat([source_tokens[:, 0], target_tokens[:, 0]], dim=-1))
        return parameters

    def prior(self, source_tokens: Tensor) -> Tensor:
        """Parameters (B, parameter_count) of the latent, given the source's tokens (B, 1 + L, E) only."""
        parameters: Tensor = self.to_prior(source_tokens[:, 0])
        return parameters

    def predict_future(self, source_tokens: Tensor, sample: Tensor) -> Tensor:
        """Patches (B, L, P) of the target frame from source tokens (B, 1 + L, E) and a sample (B, Z)."""
        prediction: Tensor = self.decoder(self.decoder.future_context(source_tokens, sample))
        return prediction

    def reconstruct(self, visible_tokens: Tensor, keep: Tensor) -> Tensor:
        """Patches (B, L, P) of a frame from its visible tokens (B, 1 + K, E) at positions (B, K)."""
        prediction: Tensor = self.decoder(self.decoder.masked_context(visible_tokens, keep))
        return prediction


def make_latent(config: RspModelConfig) -> Latent:
    """The latent variable that the config asks for."""
    if config.latent == "continuous":
        return GaussianLatent(config.latent_variables)
    return CategoricalLatent(config.latent_variables, config.latent_classes)


def _head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
