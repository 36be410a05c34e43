"""Codes of all frames of a store: one file of codes per shard of frames."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.frame_store.codes import code_shard
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray
from vidrep_pipelines.data.frame_store.shard import FRAMES, SHARD_SUFFIX
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.layers.vector_quantizer import code_counts, perplexity, used_share
from vidrep_pipelines.models.voc.tokenizers.source import TokenizerSource, loaded_tokenizer
from vidrep_pipelines.models.voc.tokenizers.tokenizer import Tokenizer, tokenize

_EXTRACTION = 1
"""Version of what equal frames and weights lead to: raised when codes change."""


@dataclass(frozen=True)
class ExtractionRequest:
    """What encoding one shard needs.

    Attributes:
        id: Path of the shard below the store, without suffix.
        path: The shard of frames.
        version: Its digest.
        tokenizer: Source of the tokenizer, as JSON.
        tokenizer_digest: Of its weights and sizes.
        batch: Frames that are encoded at once.
        device: ``cpu`` or ``cuda``.
    """

    id: str
    path: Path
    version: str
    tokenizer: str
    tokenizer_digest: str
    batch: int = 32
    device: str = "cpu"

    @property
    def digest(self) -> str:
        """Changes with frames and tokenizer, and not with batch and device."""
        return digest_of(_EXTRACTION, self.version, self.tokenizer_digest)


def extraction_requests(
    store: FrameStore, source: TokenizerSource, *, batch: int = 32, device: str = "cpu"
) -> list[ExtractionRequest]:
    """What to encode, one request per shard.

    Raises:
        InputError: The tokenizer's file cannot be read.
        ConfigurationError: Its sizes do not fit.
    """
    tokenizer, digest = source.model_dump_json(), source.digest
    return [
        ExtractionRequest(
            file.removesuffix(SHARD_SUFFIX), store.folder / file, version, tokenizer, digest, batch, device
        )
        for file, version in store.facts.shards.items()
    ]


def extract_codes(request: ExtractionRequest, outputs: Mapping[str, Path]) -> dict[str, int | float]:
    """Encodes the frames of a shard, without shift and without autograd.

    Args:
        request: The shard.
        outputs: Where the codes (".h5") go.

    Returns:
        One row: frames, codebook_use (share of the codes that occur), perplexity.

    Raises:
        InputError: Frames or tokenizer cannot be read or do not fit together.
    """
    tokenizer = loaded_tokenizer(request.tokenizer, request.device)
    frames, grid = ContiguousArray(request.path, FRAMES), (tokenizer.grid, tokenizer.grid)
    counts = torch.zeros(tokenizer.vocabulary, dtype=torch.float64)
    try:
        rows = frames.shape[0]
        with code_shard(outputs[SHARD_SUFFIX], rows, grid, request.version) as writer:
            for codes in encoded_batches(tokenizer, frames, request.batch):
                writer.append(codes)
                counts += code_counts(torch.from_numpy(codes), tokenizer.vocabulary)
    finally:
        frames.close()
    return {
        "frames": rows,
        "codebook_use": float(used_share(counts)),
        "perplexity": float(perplexity(counts)),
    }


def encoded_batches(tokenizer: Tokenizer, frames: ContiguousArray, batch: int) -> Iterator[NDArray[np.int64]]:
    """Yields codes (n, h, h) of frames (N, H, W, 3), ``batch`` frames at a time."""
    for start in range(0, frames.shape[0], batch):
        pictures = torch.from_numpy(frames.read(start, min(start + batch, frames.shape[0])))
        yield tokenize(tokenizer, pictures.permute(0, 3, 1, 2)).cpu().numpy()
