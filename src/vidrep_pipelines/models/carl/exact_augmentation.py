"""Augmentation as published: frame by frame through Pillow, in 8 bits after every colour operation."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.data.transforms import IMAGENET_MEAN, IMAGENET_STD, Crop
from vidrep_pipelines.models.carl.augmentation_draw import (
    BRIGHTNESS,
    CONTRAST,
    SATURATION,
    AugmentationDraw,
    ColorChange,
)

_LUMA = (0.299, 0.587, 0.114)


def augment_exactly(
    frames: NDArray[np.uint8], draw: AugmentationDraw, size: int, *, blur_times: int, colors_first: bool
) -> Tensor:
    """Augments and normalizes frames.

    Args:
        frames: (N, H, W, 3).
        draw: What is done.
        size: Side S of the result.
        blur_times: After how many of the operations, counted from the last, the frames are blurred.
        colors_first: Change colours before cutting and resizing, as in basic training.

    Returns:
        (N, 3, S, S) float32.
    """
    images = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    if colors_first:
        images = _change(images, draw.colors, blur_times)
    images = _cut(images, draw.crop, size)
    images = images.flip(-1) if draw.flip else images
    if not colors_first:
        images = _change(images, draw.colors, blur_times)
    if draw.colors.gray:
        weights = torch.tensor(_LUMA).view(3, 1, 1)
        images = (images * weights).sum(1, keepdim=True).expand_as(images)
    mean, std = torch.tensor((IMAGENET_MEAN, IMAGENET_STD)).view(2, 3, 1, 1)
    normal: Tensor = (images - mean) / std
    return normal


def _cut(images: Tensor, crop: Crop, size: int) -> Tensor:
    cut = images[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    resized: Tensor = functional.interpolate(cut, size=(size, size), mode="bilinear", align_corners=False)
    return resized


def _change(images: Tensor, change: ColorChange, blur_times: int) -> Tensor:
    """(N, 3, H, W) in 0..1 to the same."""
    if not change.order:
        return images
    pixels = images.mul(255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    changed = [np.asarray(_change_picture(Image.fromarray(frame), change, blur_times)) for frame in pixels]
    return torch.from_numpy(np.stack(changed)).permute(0, 3, 1, 2).float() / 255


def _change_picture(picture: Image.Image, change: ColorChange, blur_times: int) -> Image.Image:
    for number, operation in enumerate(change.order, start=1):
        picture = _apply(picture, operation, change.amounts[operation])
        if change.blur_radius and number > len(change.order) - blur_times:
            picture = picture.filter(ImageFilter.GaussianBlur(change.blur_radius))
    return picture


def _apply(picture: Image.Image, operation: int, amount: float) -> Image.Image:
    if operation == BRIGHTNESS:
        return ImageEnhance.Brightness(picture).enhance(amount)
    if operation == CONTRAST:
        return ImageEnhance.Contrast(picture).enhance(amount)
    if operation == SATURATION:
        return ImageEnhance.Color(picture).enhance(amount)
    hue, saturation, value = picture.convert("HSV").split()
    turned = (np.asarray(hue).astype(np.int16) + int(255 * amount)) % 256
    return Image.merge("HSV", (Image.fromarray(turned.astype(np.uint8)), saturation, value)).convert("RGB")
