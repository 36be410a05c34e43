"""From stored pixels to what a tokenizer sees: a random shift, a resize, a normalization."""

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.transforms import IMAGENET_MEAN, IMAGENET_STD, Triple, normalize
from vidrep_pipelines.models.voc.tokenizers.config import Normalization, PixelConfig, ResizeMethod

_ONES = (1.0, 1.0, 1.0)
_HALVES = (0.5, 0.5, 0.5)
_RATIOS = tuple(mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))


def pixel_statistics(config: PixelConfig) -> tuple[Triple, Triple]:
    """Mean and deviation, per channel, with which the normalization is a standardization of 0..1."""
    published: Triple = (_RATIOS[0], _RATIOS[1], _RATIOS[2])
    statistics: dict[Normalization, tuple[Triple, Triple]] = {
        "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
        "published": (published, _ONES),
        "symmetric": (_HALVES, _HALVES),
    }
    return statistics[config.normalization]


def prepare_frames(frames: Tensor, config: PixelConfig, offsets: Tensor | None = None) -> Tensor:
    """Shifts, resizes and normalizes.

    Args:
        frames: (B, ..., 3, H, W) uint8.
        config: Size and units.
        offsets: (B, 2) moves (x, y) in 0..2 ``config.shift``, one for all frames of a sample; the middle is
            no move. None: no shift.

    Returns:
        (B, ..., 3, S, S) float32.

    Raises:
        InputError: The frames are not square pictures of three channels.
    """
    if frames.ndim < 4 or frames.shape[-3] != 3 or frames.shape[-1] != frames.shape[-2]:
        raise InputError(
            f"frames must be square and have three channels, (B, ..., 3, H, H), not {tuple(frames.shape)}. "
            "Remedy: prepare the episodes with equal frames.height and frames.width."
        )
    moved = frames if offsets is None else shift_frames(frames, offsets, config.shift)
    mean, std = pixel_statistics(config)
    return normalize(resize_frames(moved, config.size, config.resize), mean, std)


def shift_frames(frames: Tensor, offsets: Tensor, padding: int) -> Tensor:
    """Moves pictures by whole pixels; the border is repeated (Yarats et al. 2021, DrQ-v2, section 3.1).

    The same as a crop at the offsets out of the picture with ``padding`` pixels more on each side.

    Args:
        frames: (B, ..., H, W).
        offsets: (B, 2) integers (x, y) in 0..2 padding.
        padding: Largest move.
    """
    B, H, W = len(frames), *frames.shape[-2:]
    columns, rows = (
        (torch.arange(size, device=frames.device) + offset[:, None] - padding).clamp(0, size - 1)
        for size, offset in zip((W, H), offsets.to(frames.device).unbind(dim=1), strict=True)
    )
    maps = frames.reshape(B, -1, H, W)
    moved = maps.gather(2, rows[:, None, :, None].expand_as(maps))
    return moved.gather(3, columns[:, None, None, :].expand_as(maps)).reshape(frames.shape)


def resize_frames(frames: Tensor, size: int, method: ResizeMethod) -> Tensor:
    """Pictures (..., C, H, W) uint8 to (..., C, size, size) uint8.

    ``nearest`` takes the pixel at ``floor(i * H / size)``, in whole numbers.
    """
    H, W = frames.shape[-2:]
    if (size, size) == (H, W):
        return frames
    if method == "nearest":
        steps = torch.arange(size, device=frames.device)
        return frames[..., steps * H // size, :][..., steps * W // size]
    maps = frames.reshape(-1, *frames.shape[-3:])
    resized = F.interpolate(maps, (size, size), mode=method, antialias=True)
    return resized.reshape(*frames.shape[:-2], size, size)


def to_unit_range(images: Tensor, config: PixelConfig) -> Tensor:
    """Normalized pictures (..., 3, H, W) to nominally 0..1, unclamped, in float32."""
    statistics = torch.tensor(pixel_statistics(config), device=images.device)
    mean, std = statistics.view(2, 3, 1, 1).unbind()
    return images.float() * std + mean
