"""Changes of colour on batches of frames, in floats: on the CPU frame by frame within the cache, or on a GPU.

In contrast to the published way nothing is rounded to 8 bits in between, so that a value may differ by about
a grey level for each operation.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.data.transforms import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.models.carl.augmentation_draw import BRIGHTNESS, CONTRAST, SATURATION, ColorChange

_LUMA = (0.299, 0.587, 0.114)


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
            images = _apply(operation, images, change.amounts[operation])
            if change.blur_radius and number > len(change.order) - blur_times:
                images = gaussian_blur(images, change.blur_radius)
        if change.gray:
            images = luma(images).expand_as(images)
        _normalize_into(images, target)


def _normalize_into(images: Tensor, target: Tensor) -> None:
    statistics = torch.tensor((IMAGENET_MEAN, IMAGENET_STD), device=images.device)
    mean, std = statistics.view(2, 3, 1, 1).unbind()
    torch.sub(images, mean, out=target).mul_(1 / std)


def _apply(operation: int, images: Tensor, amount: float) -> Tensor:
    """(n, 3, S, S) in 0..1 to the same; the input may be overwritten."""
    if operation == BRIGHTNESS:
        return images.mul_(amount).clamp_(0, 1)
    if operation == CONTRAST:
        return _blend(images, luma(images).mean(dim=(2, 3), keepdim=True), amount)
    if operation == SATURATION:
        return _blend(images, luma(images), amount)
    return shift_hue(images, amount)


def _blend(images: Tensor, other: Tensor, amount: float) -> Tensor:
    """``amount`` of the image and the rest of the other one; beyond 1 away from the other one."""
    return images.mul_(amount).add_(other.mul_(1 - amount)).clamp_(0, 1)


def luma(images: Tensor) -> Tensor:
    """Grey value of every place, (n, 3, H, W) to (n, 1, H, W)."""
    red, green, blue = images.unbind(1)
    gray = (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])
    return gray.unsqueeze(1)


def shift_hue(images: Tensor, turns: float) -> Tensor:
    """Turns the hue of HSV, (n, 3, H, W) in 0..1 to the same; the input is overwritten.

    Args:
        images: The images.
        turns: Part of the colour circle; 1/3 makes red green.
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
