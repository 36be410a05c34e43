"""Embeddings of whole videos: every frame, whatever the length."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.carl.embedding_config import EmbeddingConfig
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.training.precision import autocast, usable_precision

PUBLISHED_STRIDE = 15
"""Frames between the context frames of the published convolutional models."""

ReadFrames = Callable[[NDArray[np.int64]], Tensor]
"""Frames (N, 3, S, S) uint8 of N ascending ranks, fitted to the model's size."""


@torch.no_grad()
def embed_frames(
    model: CarlModel,
    read: ReadFrames,
    length: int,
    config: EmbeddingConfig,
    context_stride: int = PUBLISHED_STRIDE,
) -> Tensor:
    """Embeds all frames of a video.

    Every frame goes through the ResNet once, however chunks overlap.

    Args:
        model: In evaluation mode, on the device to compute on.
        read: Gives the frames.
        length: L, frames of the video.
        config: How the video is cut.
        context_stride: Frames between the context frames of a convolutional model, as in its training.

    Returns:
        (L, D) float32 on the CPU.

    Raises:
        InputError: The video is empty, or the model is in training mode.
    """
    if length < 1:
        raise InputError("There is nothing to embed in a video without frames.")
    if model.training:
        raise InputError("The model is in training mode; call model.eval() before embedding.")
    device = next(model.parameters()).device
    with autocast(device, usable_precision(device, config.precision)):
        pooled = _pool(model, read, length, config, context_stride)
        if model.config.encoder != "transformer":
            return model.embed_pooled(pooled[None])[0].float().cpu()
        total = torch.zeros(length, model.config.embedding_width, device=device)
        for start, weights in _chunks(length, config):
            chunk = model.embed_pooled(pooled[None, start : start + len(weights)])[0].float()
            total[start : start + len(weights)] += chunk * weights.to(device)[:, None]
    blended = model.config.normalize and config.seams == "blend" and length > config.chunk_frames
    return (functional.normalize(total, dim=1) if blended else total).cpu()


def _pool(model: CarlModel, read: ReadFrames, length: int, config: EmbeddingConfig, stride: int) -> Tensor:
    """(L, C) of all positions, block by block."""
    device = next(model.parameters()).device
    back = np.arange(model.config.context_frames - 1, -1, -1) * stride
    blocks = []
    for start in range(0, length, config.frames_per_block):
        positions = np.arange(start, min(start + config.frames_per_block, length))
        ranks, places = np.unique(np.maximum(positions[:, None] - back, 0), return_inverse=True)
        maps = model.backbone(normalize(read(ranks).to(device)))
        chosen = torch.from_numpy(places.reshape(-1, len(back))).to(device)
        blocks.append(model.head.pool(maps[chosen]))
    return torch.cat(blocks)


def _chunks(length: int, config: EmbeddingConfig) -> list[tuple[int, Tensor]]:
    """First frame and weights (n,) of each chunk; at every frame the weights add up to one."""
    if config.seams == "published":
        size = -(-length // -(-length // config.chunk_frames))
        return [(start, torch.ones(min(size, length - start))) for start in range(0, length, size)]
    size = min(length, config.chunk_frames)
    overlap = int(size * config.overlap)
    count = 1 + -(-(length - size) // max(size - overlap, 1))
    starts = np.linspace(0, length - size, count).round().astype(int).tolist()
    weights = torch.stack([_fading(start, size, length) for start in starts])
    weights = weights / weights.sum(dim=0)
    return [(start, row[start : start + size]) for start, row in zip(starts, weights, strict=True)]


def _fading(start: int, size: int, length: int) -> Tensor:
    """(L,) a triangle over the chunk, highest in its middle, never zero inside, zero outside."""
    triangle = torch.minimum(torch.arange(1, size + 1), torch.arange(size, 0, -1)).double()
    return functional.pad(triangle, (start, length - start - size)).float()
