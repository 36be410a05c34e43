"""The image encoder: a plain vision transformer that can look at a part of the patches."""

from functools import partial

import torch
from torch import Tensor, nn

from vidrep_pipelines.compat import timm
from vidrep_pipelines.models.layers.tokens import sine_cosine_positions, take_tokens


class VisionTransformerEncoder(nn.Module):
    """Patches plus fixed positions, a CLS token, pre-norm blocks, a final norm (ViT, arXiv 2010.11929).

    The parts are timm's and keep timm's names, so a state dict fits timm's ``VisionTransformer`` and back.

    Args:
        image_size: Side of the square input in pixels.
        patch_size: Side of a patch in pixels, a divisor of ``image_size``.
        channels: Number of color channels.
        dimension: Token width E, a multiple of 4.
        depth: Number of blocks.
        heads: Number of attention heads.
        mlp_ratio: Width of the perceptrons relative to E.
    """

    pos_embed: Tensor

    def __init__(
        self,
        *,
        image_size: int,
        patch_size: int,
        channels: int,
        dimension: int,
        depth: int,
        heads: int,
        mlp_ratio: float,
    ) -> None:
        super().__init__()
        transformer = timm.models.vision_transformer.VisionTransformer(
            img_size=image_size,
            patch_size=patch_size,
            in_chans=channels,
            embed_dim=dimension,
            depth=depth,
            num_heads=heads,
            mlp_ratio=mlp_ratio,
            num_classes=0,
            global_pool="",
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
        self.cls_token = nn.Parameter(torch.empty(1, 1, dimension).normal_(std=0.02))
        self.register_buffer("pos_embed", sine_cosine_positions(dimension, image_size // patch_size))
        self.patch_embed: nn.Module = transformer.patch_embed
        self.blocks: nn.Sequential = transformer.blocks
        self.norm: nn.Module = transformer.norm

    def forward(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        """Encodes normalized images (B, C, H, W) to tokens (B, 1 + L, E), CLS first.

        Args:
            images: The pictures.
            keep: Positions (B, K) of the only patches to look at; the result is then (B, 1 + K, E).
        """
        tokens = self.patch_embed(images) + self.pos_embed[:, 1:]
        if keep is not None:
            tokens = take_tokens(tokens, keep)
        start = (self.cls_token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        output: Tensor = self.norm(self.blocks(torch.cat([start, tokens], dim=1)))
        return output
