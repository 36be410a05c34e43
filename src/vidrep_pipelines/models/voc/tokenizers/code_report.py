"""How evenly stored codes are used."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.models.layers.vector_quantizer import code_counts, perplexity, used_share
from vidrep_pipelines.models.voc.tokenizers.tokenizer import Tokenizer


def count_stored_codes(codes: CodeStore, vocabulary: int) -> Tensor:
    """How often each code occurs in the views of a store, (K,)."""
    counts = torch.zeros(vocabulary, dtype=torch.float64)
    for view in codes.store.ids:
        counts += code_counts(torch.from_numpy(codes.codes(view).astype(np.int64)), vocabulary)
    return counts


def code_report(counts: Tensor, tokenizer: Tokenizer) -> dict[str, Any]:
    """Facts about the use of the codes.

    Args:
        counts: (K,) of the codes.
        tokenizer: What made them.

    Returns:
        codes, vocabulary, codebook_use (share of the codes that occur), perplexity, tokens_per_frame,
        bits_per_frame of codes of equal length, and entropy_bits_per_frame of ideally coded single ones.
    """
    tokens, evenness = tokenizer.grid**2, float(perplexity(counts))
    return {
        "codes": int(counts.sum()),
        "vocabulary": tokenizer.vocabulary,
        "codebook_use": float(used_share(counts)),
        "perplexity": evenness,
        "tokens_per_frame": tokens,
        "bits_per_frame": tokens * math.log2(tokenizer.vocabulary),
        "entropy_bits_per_frame": tokens * math.log2(evenness),
    }
