"""Augmentations of a clip, the same for all its frames: random choices first, then exact arithmetic."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.common.arrays import Pair
from vidrep_pipelines.data.imagenet import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.data.transforms import Crop, random_resized_crop
from vidrep_pipelines.models.carl.config import AugmentationConfig

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
COLOR_NUMBERS = 10
"""Length of a color change as a tensor."""

_ABSENT = -1


@dataclass(frozen=True)
class ColorChange:
    """What is done to colors.

    Attributes:
        order: The operations (``BRIGHTNESS`` ...) in their order; empty: none, and no blur either.
        amounts: Amount of each operation by its number: three factors, and a shift of hue in turns.
        blur_radius: Standard deviation of the blur in pixels; 0: none.
        gray: Whether colors are taken away at the end.
    """

    order: tuple[int, ...] = ()
    amounts: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 0.0)
    blur_radius: float = 0.0
    gray: bool = False

    def tensor(self) -> Tensor:
        """(10,) float64, to be collated; see :meth:`from_tensor`."""
        order = (*self.order, *(_ABSENT for _ in range(4 - len(self.order))))
        numbers = (*order, *self.amounts, self.blur_radius, self.gray)
        return torch.tensor(numbers, dtype=torch.float64)

    @classmethod
    def from_tensor(cls, numbers: Tensor) -> Self:
        """The inverse of :meth:`tensor`."""
        *values, blur_radius, gray = numbers.tolist()
        order = tuple(int(operation) for operation in values[:4] if operation != _ABSENT)
        brightness, contrast, saturation, hue = values[4:]
        return cls(order, (brightness, contrast, saturation, hue), blur_radius, bool(gray))


@dataclass(frozen=True)
class AugmentationDraw:
    """One draw: what is cut out, whether it is mirrored, and what is done to its colors."""

    crop: Crop
    flip: bool
    colors: ColorChange


def draw_augmentation(
    height: int, width: int, config: AugmentationConfig, rng: np.random.Generator
) -> AugmentationDraw:
    """Draws in the published order, so that recorded draws can be replayed.

    Args:
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        config: The ranges.
        rng: Source of the draws.
    """
    if config.jitter_probability is None:
        colors = _ordered_change(config, rng)
        return AugmentationDraw(
            _draw_crop(height, width, config, rng), _coin(config.flip_probability, rng), colors
        )
    crop = _draw_crop(height, width, config, rng)
    flip = _coin(config.flip_probability, rng)
    change = _shuffled_change(config, rng) if _coin(config.jitter_probability, rng) else ColorChange()
    gray = _coin(config.gray_probability, rng)
    colors = ColorChange(change.order, change.amounts, change.blur_radius, gray)
    return AugmentationDraw(crop, flip, colors)


def _draw_crop(height: int, width: int, config: AugmentationConfig, rng: np.random.Generator) -> Crop:
    if config.crop_scale is None:
        return Crop(0, 0, height, width)
    return random_resized_crop(height, width, rng, config.crop_scale, config.crop_ratio)


def _shuffled_change(config: AugmentationConfig, rng: np.random.Generator) -> ColorChange:
    order = tuple(int(operation) for operation in rng.permutation(4))
    brightness, contrast, saturation = (
        1 + _around_zero(half, rng) for half in (config.brightness, config.contrast, config.saturation)
    )
    hue = _around_zero(config.hue, rng)
    radius = 0.0
    if config.blur_probability > 0:
        radius = _uniform(config.blur_radius, rng)
        radius *= _coin(config.blur_probability, rng)
    return ColorChange(order, (brightness, contrast, saturation, hue), radius)


def _ordered_change(config: AugmentationConfig, rng: np.random.Generator) -> ColorChange:
    """Only the operations that can do something, each drawn in its turn."""
    halves = (config.brightness, config.contrast, config.saturation, config.hue)
    amounts = [1.0, 1.0, 1.0, 0.0]
    order = tuple(operation for operation, half in enumerate(halves) if half > 0)
    for operation in order:
        amounts[operation] += _around_zero(halves[operation], rng)
    return ColorChange(order, (amounts[0], amounts[1], amounts[2], amounts[3]))


def _around_zero(half: float, rng: np.random.Generator) -> float:
    return _uniform((-half, half), rng)


def _uniform(bounds: Pair, rng: np.random.Generator) -> float:
    low, high = bounds
    return low + (high - low) * rng.random()


def _coin(probability: float, rng: np.random.Generator) -> bool:
    return probability > 0 and bool(rng.random() < probability)


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
        colors_first: Change colors before cutting and resizing, as in basic training.

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


def change_colors(frames: Tensor, colors: Tensor, blur_times: int = 1) -> Tensor:
    """Applies to every view its own change, and normalizes.

    Args:
        frames: (..., n, 3, S, S) uint8, views of n frames.
        colors: (..., 10) a :class:`ColorChange` for each view.
        blur_times: After how many of the operations, counted from the last, the frames are blurred.

    Returns:
        (..., n, 3, S, S) float32 normalized by ImageNet's statistics.
    """
    result = torch.empty(frames.shape, dtype=torch.float32, device=frames.device)
    views = zip(frames.flatten(0, -5), result.flatten(0, -5), colors.cpu().flatten(0, -2), strict=True)
    for pixels, values, numbers in views:
        _change_view(pixels, values, ColorChange.from_tensor(numbers), blur_times)
    return result


def _change_view(pixels: Tensor, values: Tensor, change: ColorChange, blur_times: int) -> None:
    """Fills ``values`` (n, 3, S, S); a frame at a time on the CPU, where it then stays in the cache."""
    frames_at_once = 1 if pixels.device.type == "cpu" else len(pixels)
    for source, target in zip(
        torch.split(pixels, frames_at_once), torch.split(values, frames_at_once), strict=True
    ):
        images = torch.empty_like(target).copy_(source).mul_(1 / 255)
        for number, operation in enumerate(change.order, start=1):
            images = _changed(operation, images, change.amounts[operation])
            if change.blur_radius and number > len(change.order) - blur_times:
                images = gaussian_blur(images, change.blur_radius)
        if change.gray:
            images = gray_of(images).expand_as(images)
        _normalize_into(images, target)


def _normalize_into(images: Tensor, target: Tensor) -> None:
    statistics = torch.tensor((IMAGENET_MEAN, IMAGENET_STD), device=images.device)
    mean, std = statistics.view(2, 3, 1, 1).unbind()
    torch.sub(images, mean, out=target).mul_(1 / std)


def _changed(operation: int, images: Tensor, amount: float) -> Tensor:
    """(n, 3, S, S) in 0..1 to the same; the input may be overwritten."""
    if operation == BRIGHTNESS:
        return images.mul_(amount).clamp_(0, 1)
    if operation == CONTRAST:
        return _blend(images, gray_of(images).mean(dim=(2, 3), keepdim=True), amount)
    if operation == SATURATION:
        return _blend(images, gray_of(images), amount)
    return shift_hue(images, amount)


def _blend(images: Tensor, other: Tensor, amount: float) -> Tensor:
    """``amount`` of the image and the rest of the other one; beyond 1 away from the other one."""
    return images.mul_(amount).add_(other.mul_(1 - amount)).clamp_(0, 1)


def gray_of(images: Tensor) -> Tensor:
    """Gray value of every place, (n, 3, H, W) to (n, 1, H, W)."""
    red, green, blue = images.unbind(1)
    gray = (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])
    return gray.unsqueeze(1)


def shift_hue(images: Tensor, turns: float) -> Tensor:
    """Turns the hue of HSV, (n, 3, H, W) in 0..1 to the same; the input is overwritten.

    Args:
        images: The images.
        turns: Part of the color circle; 1/3 makes red green.
    """
    red, green, blue = images.unbind(1)
    lowest = torch.minimum(red, green)
    lowest = torch.minimum(lowest, blue, out=lowest)
    highest = torch.maximum(red, green)
    highest = torch.maximum(highest, blue, out=highest)
    chroma = highest - lowest
    scale = chroma.clamp_min(torch.finfo(chroma.dtype).tiny).reciprocal_()
    # In sixths of a turn from red: green lies at 2, blue at 4.
    sixths = torch.where(
        highest == green, (blue - red).mul_(scale).add_(2), (red - green).mul_(scale).add_(4)
    )
    sixths = torch.where(highest == red, (green - blue).mul_(scale), sixths).add_(6 * turns)
    sixths.sub_(torch.floor(sixths / 6), alpha=6)
    ramps = (
        (sixths - 3).abs_().sub_(1),
        (sixths - 2).abs_().neg_().add_(2),
        (sixths - 4).abs_().neg_().add_(2),
    )
    for channel, ramp in zip((red, green, blue), ramps, strict=True):
        torch.addcmul(lowest, ramp.clamp_(0, 1), chroma, out=channel)
    return images


def gaussian_blur(images: Tensor, radius: float) -> Tensor:
    """Blurs (n, C, H, W) by nearly a Gaussian, as Pillow does: three box filters; the border is repeated.

    Args:
        images: The images.
        radius: Standard deviation in pixels, > 0.
    """
    weights = blur_weights(radius)
    reach = len(weights) // 2
    for dimension, padding in ((3, (reach, reach, 0, 0)), (2, (0, 0, reach, reach))):
        padded = functional.pad(images, padding, mode="replicate")
        length = images.shape[dimension]
        # Sums of shifted images: three times as fast as a convolution with a single channel.
        images = padded.narrow(dimension, reach, length) * weights[reach]
        for offset, weight in enumerate(weights):
            if offset != reach:
                images.add_(padded.narrow(dimension, offset, length), alpha=weight)
    return images


def blur_weights(radius: float) -> list[float]:
    """Three times the same box filter, whose outermost weights are lowered to meet the variance exactly.

    Source: Gwosdek et al. 2011, "Theoretical Foundations of Gaussian Convolution by Extended Box Filtering".
    """
    variance = radius**2 / 3
    inner = int((math.sqrt(12 * variance + 1) - 1) / 2)
    outermost = (2 * inner + 1) * (variance - inner * (inner + 1) / 3) / (2 * ((inner + 1) ** 2 - variance))
    box = np.array([outermost, *(1.0 for _ in range(2 * inner + 1)), outermost])
    box /= box.sum()
    weights: list[float] = np.convolve(np.convolve(box, box), box).tolist()
    return weights
