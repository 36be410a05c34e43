"""A VQ-VAE at work, for people: originals, reconstructions and errors; facts about its codes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.models.shared.codes import code_report
from vidrep_pipelines.models.shared.units import channels_last, clamped_psnr, to_bytes, to_unit_range
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

ROWS = ("original", "reconstruction", "error")
ERROR_GAIN = 4
"""Errors are shown enlarged: the mid gray is none, a quarter of the range saturates."""

_SHOWN_FRAMES = 8
_SMALLEST_TILE = 96


@torch.no_grad()
def reconstruction_strips(model: VqvaeModel, clips: Tensor, data: VqvaeDataConfig) -> Image:
    """Draws original, reconstruction and error of clips below one another.

    Args:
        model: The model, on the device of the clips.
        clips: (B, T, 3, S, S) standardized; of long clips, evenly spaced frames are shown.
        data: Mean and deviation they were standardized with.
    """
    pairs = []
    for clip in clips:
        rebuilt = model(clip[None]).reconstruction[0]
        pairs.append((to_unit_range(clip, data), to_unit_range(rebuilt, data)))
    return comparison_strips(pairs)


def comparison_strips(pairs: Sequence[tuple[Tensor, Tensor]], names: tuple[str, str, str] = ROWS) -> Image:
    """Draws clips above what became of them, and the difference.

    Args:
        pairs: Clips (T, 3, H, W), nominally in 0..1; of long clips, evenly spaced frames are shown.
        names: Names of the three rows.
    """
    rows: list[ImageRow] = []
    for pair in pairs:
        quality = f"{float(clamped_psnr(*pair)):.1f} dB"
        shown = torch.linspace(0, len(pair[0]) - 1, min(len(pair[0]), _SHOWN_FRAMES)).round().long()
        first, second = (frames[shown.to(frames.device)] for frames in pair)
        labels = (names[0], f"{names[1]}\n{quality}", f"{names[2]}\n{ERROR_GAIN} times enlarged")
        rows += [
            ImageRow(list(channels_last(to_bytes(frames))), label)
            for label, frames in zip(labels, (first, second, error_picture(first, second)), strict=True)
        ]
    return image_grid(rows, cell_height=max(_SMALLEST_TILE, pairs[0][0].shape[-2]))


def error_picture(first: Tensor, second: Tensor) -> Tensor:
    """The difference of two pictures of one shape, in 0..1: mid gray is none."""
    return 0.5 + ERROR_GAIN * (second - first) / 2


_SCALE, _GAP = 3, 6


def comparison_film(pairs: Sequence[tuple[Tensor, Tensor]]) -> NDArray[np.uint8]:
    """Original, reconstruction and error side by side, clips below one another.

    Args:
        pairs: Clips (T, 3, H, W) of one length, nominally in 0..1, and their reconstructions.

    Returns:
        (T, H', W', 3): pixels enlarged, gaps white, sides even.
    """
    rows = [
        [channels_last(to_bytes(frames)) for frames in (first, second, error_picture(first, second))]
        for first, second in pairs
    ]
    return _with_gaps([_with_gaps([_enlarged(part) for part in row], axis=2) for row in rows], axis=1)


def _enlarged(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return frames.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)


def _with_gaps(parts: list[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    """Joins parts with white between them, and after the last one as much as makes the sum even."""
    length = sum(part.shape[axis] for part in parts) + _GAP * (len(parts) - 1)
    shape = list(parts[0].shape)
    joined: list[NDArray[np.uint8]] = []
    for number, part in enumerate(parts):
        shape[axis] = _GAP if number + 1 < len(parts) else length % 2
        joined += [part, np.full(shape, 255, np.uint8)]
    return np.concatenate(joined, axis=axis)


_CLIPS, _FRAMES = 4, 12


def codebook_report(counts: Tensor, config: VqvaeModelConfig) -> dict[str, Any]:
    """Facts about the use of the codes.

    Args:
        counts: (K,) of the codes.
        config: The model.

    Returns:
        codebook_size, what :func:`code_report` says, and compression: bits that a frame takes as 8-bit pixels
        divided by those that it takes as codes of equal length.
    """
    report = code_report(counts, config.grid**2)
    pixels = 8 * config.channels * config.image_size**2
    return {
        "codebook_size": config.codebook.size,
        **report,
        "compression": pixels / report["bits_per_frame"],
    }


def decoded_strips(trained: TrainedVqvae, codes: CodeStore) -> Image:
    """Draws a few views from all over a store beside what their codes decode to."""
    ids = codes.store.ids
    numbers = np.unique(np.linspace(0, len(ids) - 1, _CLIPS).round().astype(int)).tolist()
    pairs = []
    for view in (ids[number] for number in numbers):
        shown = slice(0, _FRAMES)
        frames = torch.from_numpy(codes.frames(view, shown)).permute(0, 3, 1, 2) / 255
        pairs.append((frames, trained.decode(codes.codes(view, shown)[None])[0].cpu()))
    return comparison_strips(pairs, ("original", "decoded from codes", "error"))
