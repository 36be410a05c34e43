"""CARL: one embedding for every frame of a long clip.

Shapes: frames (B, K * T, 3, S, S) normalized, K context frames at each of T positions, the position's own
frame last; mask (B, T); embeddings (B, T, D).
"""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.backbone import FrameBackbone
from vidrep_pipelines.models.carl.config import CarlModelConfig
from vidrep_pipelines.models.carl.heads import LocalHead, TransformerHead

_SMALLEST_SIDES = {"transformer": 32, "conv": 65, "vanilla": 32}
"""The convolutions need maps of 5 x 5."""


class CarlModel(nn.Module):
    """Frame backbone and head, with a projection or a classifier behind them for the loss.

    Args:
        config: The architecture.
    """

    def __init__(self, config: CarlModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FrameBackbone(config)
        self.head = TransformerHead(config) if config.encoder == "transformer" else LocalHead(config)
        width = config.embedding_width
        self.projection: nn.Sequential | None = None
        if config.projection_width is not None:
            hidden = config.projection_width
            self.projection = nn.Sequential(
                nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, width)
            )
        self.classifier: nn.Sequential | None = None
        if config.classes is not None:
            self.classifier = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(width, config.classes))

    def pool(self, frames: Tensor) -> Tensor:
        """What the head needs to know of each position.

        Args:
            frames: (B, K * T, 3, S, S) normalized.

        Returns:
            (B, T, C).

        Raises:
            InputError: The frames are too small, or not K for each position.
        """
        self._check(frames)
        positions = rearrange(frames, "b (t k) c h w -> b t k c h w", k=self.config.context_frames)
        blocks = torch.split(positions, self.config.frames_per_block or positions.shape[1], dim=1)
        return torch.cat([self._pool_block(block) for block in blocks], dim=1)

    def _pool_block(self, block: Tensor) -> Tensor:
        """(B, t, K, 3, S, S) to (B, t, C)."""
        maps = self.backbone(rearrange(block, "b t k c h w -> (b t k) c h w"))
        pooled = self.head.pool(rearrange(maps, "(n k) c h w -> n k c h w", k=block.shape[2]))
        return rearrange(pooled, "(b t) c -> b t c", t=block.shape[1])

    def embed_pooled(self, pooled: Tensor, mask: Tensor | None = None) -> Tensor:
        """Positions (B, T, C), as :meth:`pool` gives them, to embeddings (B, T, D)."""
        embeddings: Tensor = self.head(pooled, mask)
        return functional.normalize(embeddings, dim=-1) if self.config.normalize else embeddings

    def embed(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Frames (B, K * T, 3, S, S) to embeddings (B, T, D), of unit length if so configured."""
        return self.embed_pooled(self.pool(frames), mask)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the loss sees.

        Args:
            frames: (B, K * T, 3, S, S) normalized.
            mask: (B, T) 1 for real frames, 0 for padding. None: all are real.

        Returns:
            (B, T, D) projections of unit length, (B, T, classes) logits, or embeddings.
        """
        if self.projection is not None:
            embeddings = self.head(self.pool(frames), mask)
            projected = self.projection(embeddings.flatten(0, 1)).reshape(embeddings.shape)
            return functional.normalize(projected, dim=-1)
        outputs = self.embed(frames, mask)
        if self.classifier is not None:
            outputs = self.classifier(outputs)
        return outputs

    def _check(self, frames: Tensor) -> None:
        smallest, context = _SMALLEST_SIDES[self.config.encoder], self.config.context_frames
        if frames.ndim != 5 or frames.shape[2] != 3 or min(frames.shape[3:]) < smallest:
            raise InputError(
                f"The model takes frames (B, T, 3, H, W) of at least {smallest} pixels, not "
                f"{tuple(frames.shape)}."
            )
        if frames.shape[1] == 0 or frames.shape[1] % context:
            raise InputError(
                f"{frames.shape[1]} frames are no whole number of positions with {context} frames each."
            )


_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trained parameters of batch norms, then all others, in the published order.

    As published, everything is decayed alike; the groups differ in name only.
    """
    norms = [
        parameter
        for module in model.modules()
        if isinstance(module, _BATCH_NORMS)
        for parameter in module.parameters()
    ]
    of_norms = {id(parameter) for parameter in norms}
    others = [parameter for parameter in model.parameters() if id(parameter) not in of_norms]
    groups = [
        {
            "params": [parameter for parameter in group if parameter.requires_grad],
            "weight_decay": weight_decay,
        }
        for group in (norms, others)
    ]
    return [group for group in groups if group["params"]]
