"""What stored codes are like: how evenly they are used, and what they decode to."""

import math
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.models.layers.vector_quantizer import code_counts, perplexity, used_share
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig
from vidrep_pipelines.models.vqvae.pictures import comparison_strips
from vidrep_pipelines.models.vqvae.trained import TrainedVqvae

_CLIPS, _FRAMES = 4, 12


def rate(config: VqvaeModelConfig) -> dict[str, float]:
    """Bits that a frame takes as codes of equal length, and what it takes as 8-bit pixels divided by that."""
    bits = config.grid**2 * math.log2(config.codebook.size)
    return {"bits_per_frame": bits, "compression": 8 * config.channels * config.image_size**2 / bits}


def code_report(counts: Tensor, config: VqvaeModelConfig) -> dict[str, Any]:
    """Facts about the use of the codes.

    Args:
        counts: (K,) of the codes.
        config: The model.

    Returns:
        codes, codebook_size, codebook_use (share of entries that occur), perplexity, bits_per_frame,
        compression, and entropy_bits_per_frame: what an ideal entropy coder of single codes would take.
    """
    evenness = float(perplexity(counts))
    return {
        "codes": int(counts.sum()),
        "codebook_size": config.codebook.size,
        "codebook_use": float(used_share(counts)),
        "perplexity": evenness,
        **rate(config),
        "entropy_bits_per_frame": config.grid**2 * math.log2(evenness),
    }


def count_codes(codes: CodeStore, size: int) -> Tensor:
    """How often each of ``size`` codes occurs in the views of a store, (K,)."""
    counts = torch.zeros(size, dtype=torch.float64)
    for view in codes.store.ids:
        counts += code_counts(torch.from_numpy(codes.codes(view).astype(np.int64)), size)
    return counts


def decoded_strips(trained: TrainedVqvae, codes: CodeStore) -> Image:
    """Draws a few views from all over a store beside what their codes decode to."""
    ids = codes.store.ids
    chosen = np.unique(np.linspace(0, len(ids) - 1, _CLIPS).round().astype(int)).tolist()
    pairs = []
    for view in (ids[number] for number in chosen):
        shown = slice(0, _FRAMES)
        frames = torch.from_numpy(codes.frames(view, shown)).permute(0, 3, 1, 2) / 255
        pairs.append((frames, trained.decode(codes.codes(view, shown)[None])[0].cpu()))
    return comparison_strips(pairs, ("original", "decoded from codes", "error"))
