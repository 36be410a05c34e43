"""Pictures of tokenizers: frames beside what their codes give back, and how often each code is used."""

from typing import Any

import torch
from einops import repeat
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset

from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.models.shared.code_counts import code_counts
from vidrep_pipelines.models.shared.codes import code_histogram, code_report
from vidrep_pipelines.models.shared.units import channels_last, to_bytes
from vidrep_pipelines.models.voc.tokenizers.inference import DecodingTokenizer, Tokenizer, depict, tokenize
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_COUNTED_FRAMES, _FRAMES_AT_ONCE = 256, 32
_SHOWN_FRAMES = 8
_SMALLEST_TILE = 96


def spread_frames(dataset: Dataset[Sample], count: int) -> Tensor:
    """Frames (N, 3, H, W) uint8 of N = ``count`` samples from all over the data set, or of all samples.

    Of samples with several frames the first one is taken.
    """
    items = len(dataset)  # type: ignore[arg-type]
    numbers = torch.linspace(0, items - 1, min(count, items)).long().tolist()
    frames = torch.stack([dataset[0, index]["frames"] for index in numbers])
    return frames.reshape(len(frames), -1, *frames.shape[-3:])[:, 0]


def reconstruction_grid(tokenizer: DecodingTokenizer, frames: Tensor) -> Image:
    """Draws frames (N, 3, H, W) uint8 above what is decoded from their codes."""
    decoded = depict(tokenizer, tokenize(tokenizer, frames))
    rebuilt = to_bytes(decoded)
    rows = [
        ImageRow(list(channels_last(frames)), "original"),
        ImageRow(list(channels_last(rebuilt)), "from codes"),
    ]
    return image_grid(rows, cell_height=max(_SMALLEST_TILE, frames.shape[-1]))


def draw_reconstructions(tokenizer: DecodingTokenizer, dataset: Dataset[Sample]) -> Image:
    """Frames spread over a data set, and what their codes give back."""
    return reconstruction_grid(tokenizer, spread_frames(dataset, _SHOWN_FRAMES))


def paint_tokens(tokenizer: Tokenizer, dataset: Dataset[Sample]) -> Image:
    """Frames spread over a data set above their reconstructions or, without a way back, their codes."""
    frames = spread_frames(dataset, _SHOWN_FRAMES)
    if isinstance(tokenizer, DecodingTokenizer):
        return reconstruction_grid(tokenizer, frames)
    return code_map_grid(tokenizer, frames)


def code_map_grid(tokenizer: Tokenizer, frames: Tensor) -> Image:
    """Draws frames (N, 3, H, W) uint8 above maps of their codes; codes with like vectors have like colors."""
    maps = code_colors(tokenizer.codebook)[tokenize(tokenizer, frames).cpu()]
    scale = max(1, frames.shape[-1] // tokenizer.grid)
    enlarged = repeat(maps, "n h w c -> n (h y) (w x) c", y=scale, x=scale)
    rows = [ImageRow(list(channels_last(frames)), "original"), ImageRow(list(enlarged.numpy()), "codes")]
    return image_grid(rows, cell_height=max(_SMALLEST_TILE, frames.shape[-1]))


def code_colors(codebook: Tensor) -> Tensor:
    """Colors (K, 3) uint8 of the codes (K, D): their places along the three main directions, by rank."""
    vectors = codebook.detach().double().cpu()
    centered = vectors - vectors.mean(dim=0)
    directions = torch.linalg.svd(centered, full_matrices=False).Vh[:3]
    ranks = (centered @ directions.T).argsort(dim=0).argsort(dim=0)
    colors = (ranks * 255 / max(len(ranks) - 1, 1)).round().to(torch.uint8)
    return torch.nn.functional.pad(colors, (0, 3 - colors.shape[1]))


def draw_code_use(tokenizer: Tokenizer, dataset: Dataset[Sample]) -> Image:
    """How often each code is used in frames spread over a data set, most used first."""
    return code_histogram(count_codes(tokenizer, spread_frames(dataset, _COUNTED_FRAMES)))


def count_codes(tokenizer: Tokenizer, frames: Tensor) -> Tensor:
    """Uses (K,) of the codes in frames (N, 3, H, W) uint8."""
    codes = [tokenize(tokenizer, part) for part in torch.split(frames, _FRAMES_AT_ONCE)]
    return code_counts(torch.cat(codes), tokenizer.vocabulary)


def vocabulary_report(counts: Tensor, tokenizer: Tokenizer) -> dict[str, Any]:
    """Facts about the use of the codes.

    Args:
        counts: (K,) of the codes.
        tokenizer: What made them.

    Returns:
        vocabulary, tokens_per_frame, and what :func:`code_report` says.
    """
    tokens = tokenizer.grid**2
    return {
        "vocabulary": tokenizer.vocabulary,
        "tokens_per_frame": tokens,
        **code_report(counts, tokens),
    }
