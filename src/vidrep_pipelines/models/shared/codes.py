"""How the codes of a tokenizer are used: counted, reported, shown."""

import math

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share
from vidrep_pipelines.reporting.figures import COLORS, SOFT_INK, image_of, plain_axes


def count_stored_codes(codes: CodeStore, size: int) -> Tensor:
    """How often each of ``size`` codes occurs in the views of a store, (K,)."""
    counts = torch.zeros(size, dtype=torch.float64)
    for view in codes.store.ids:
        counts += code_counts(torch.from_numpy(codes.codes(view).astype(np.int64)), size)
    return counts


def code_report(counts: Tensor, codes_per_frame: int) -> dict[str, int | float]:
    """Facts about the use of the codes.

    Args:
        counts: (K,) of the codes.
        codes_per_frame: Codes that a frame takes.

    Returns:
        codes, codebook_use (share of the codes that occur), perplexity, bits_per_frame of codes of equal
        length, and entropy_bits_per_frame: what an ideal entropy coder of single codes would take.
    """
    evenness = float(perplexity(counts))
    return {
        "codes": int(counts.sum()),
        "codebook_use": float(used_share(counts)),
        "perplexity": evenness,
        "bits_per_frame": codes_per_frame * math.log2(len(counts)),
        "entropy_bits_per_frame": codes_per_frame * math.log2(evenness),
    }


def code_histogram(counts: Tensor) -> Image:
    """Draws how often each code is used, most used first.

    Args:
        counts: (K,) of the codes.
    """
    figure = Figure(figsize=(7.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    shares = (counts.double().sort(descending=True).values / counts.sum()).cpu().numpy()
    axes.fill_between(np.arange(1, len(shares) + 1), shares, step="mid", color=COLORS[0], linewidth=0)
    axes.axhline(1 / len(shares), color=SOFT_INK, linewidth=0.8, linestyle="--")
    use, evenness = float(used_share(counts)), float(perplexity(counts))
    title = f"{use:.0%} of {len(shares)} codes used, perplexity {evenness:.0f}"
    plain_axes(axes, title, "codes, most used first")
    return image_of(figure)
