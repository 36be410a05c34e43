"""Fits decoded frames to the model's size, on uint8."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.transforms import Crop
from vidrep_pipelines.models.carl.augmentation_config import EvaluationCrop


def cut_and_resize(frames: NDArray[np.uint8], crop: Crop, size: int, flip: bool = False) -> Tensor:
    """Cuts the same rectangle out of all frames and resizes it, bilinear without antialiasing as published.

    Args:
        frames: (N, H, W, 3).
        crop: What to cut out.
        size: Side S of the result.
        flip: Mirror left and right.

    Returns:
        (N, 3, S, S) uint8.
    """
    # A view: torch reads the rectangle in place, and has a fast path for 8 bits with channels last.
    view = torch.from_numpy(frames).permute(0, 3, 1, 2)
    view = view[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    if (crop.height, crop.width) != (size, size):
        view = functional.interpolate(view, size=(size, size), mode="bilinear", align_corners=False)
    return view.flip(-1) if flip else view


def fit_frames(frames: NDArray[np.uint8], size: int, crop: EvaluationCrop) -> Tensor:
    """Frames as the model sees them outside training.

    Args:
        frames: (N, H, W, 3).
        size: Side S of the result.
        crop: What is cut out.

    Returns:
        (N, 3, S, S) uint8.

    Raises:
        InputError: ``center_native`` of frames that are smaller than the result.
    """
    return cut_and_resize(frames, _evaluation_crop(frames.shape[1], frames.shape[2], size, crop), size)


def _evaluation_crop(height: int, width: int, size: int, crop: EvaluationCrop) -> Crop:
    if crop == "resize":
        return Crop(0, 0, height, width)
    side = min(height, width) if crop == "short_side_center" else size
    if side > min(height, width):
        raise InputError(
            f"evaluation_crop center_native needs frames of at least {size} pixels, these are "
            f"{width}x{height}. Remedy: use short_side_center or resize."
        )
    # Rounded up, as published.
    return Crop(-(-(height - side) // 2), -(-(width - side) // 2), side, side)
