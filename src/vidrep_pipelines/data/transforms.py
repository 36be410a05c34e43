"""From decoded frames to the crops a model sees: everything on uint8, floats only once per batch.

Resampling uint8 directly is six times faster than Pillow and differs from it by one gray level, in one pixel
of a hundred thousand by two. The same on floats would be slower than Pillow and a different operation,
because Pillow rounds between its two passes.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import PositiveInt
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.common.arrays import Pair, Triple
from vidrep_pipelines.common.config import FrozenConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_CROP_ATTEMPTS = 10


@dataclass(frozen=True)
class Crop:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


class _Draws(Protocol):
    """The three kinds of random numbers a random crop is made of."""

    def uniform(self, bounds: Pair) -> float: ...

    def log_uniform(self, bounds: Pair) -> float: ...

    def below(self, count: int) -> int: ...


class _NumpyDraws:
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def uniform(self, bounds: Pair) -> float:
        low, high = bounds
        return low + (high - low) * self._rng.random()  # as rng.uniform draws, without its checks of arrays

    def log_uniform(self, bounds: Pair) -> float:
        return math.exp(self.uniform((math.log(bounds[0]), math.log(bounds[1]))))

    def below(self, count: int) -> int:
        return int(self._rng.integers(count))


class _TorchDraws:
    """Single precision throughout, as torchvision draws, so that equal seeds give equal crops."""

    def __init__(self, generator: torch.Generator | None) -> None:
        self._generator = generator

    def uniform(self, bounds: Pair) -> float:
        return torch.empty(1).uniform_(*bounds, generator=self._generator).item()

    def log_uniform(self, bounds: Pair) -> float:
        low, high = torch.tensor(bounds).log().tolist()
        return torch.empty(1).uniform_(low, high, generator=self._generator).exp().item()

    def below(self, count: int) -> int:
        return int(torch.randint(count, (1,), generator=self._generator))


def random_resized_crop(
    height: int, width: int, rng: np.random.Generator, scale: Pair = (0.5, 1.0), ratio: Pair = (3 / 4, 4 / 3)
) -> Crop:
    """Draws a crop of random area and shape, by the rule of torchvision's RandomResizedCrop.

    Ten draws of area and shape are tried. When none fits, the largest centered crop whose shape is within
    ``ratio`` is taken. Source: Szegedy et al. 2015, "Going deeper with convolutions", section 6.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        rng: Source of the draw.
        scale: Bounds of the crop's share of the image's area, drawn uniformly.
        ratio: Bounds of width over height, drawn uniformly in the logarithm.
    """
    return _draw_crop(height, width, _NumpyDraws(rng), scale, ratio)


def random_resized_crop_torch(
    height: int,
    width: int,
    generator: torch.Generator | None = None,
    scale: Pair = (0.5, 1.0),
    ratio: Pair = (3 / 4, 4 / 3),
) -> Crop:
    """Like :func:`random_resized_crop`, with exactly the draws of torchvision's RandomResizedCrop.get_params.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        generator: Source of the draw; the global one, which ``torch.manual_seed`` seeds, when None.
        scale: Bounds of the crop's share of the image's area.
        ratio: Bounds of width over height.
    """
    return _draw_crop(height, width, _TorchDraws(generator), scale, ratio)


def _draw_crop(height: int, width: int, draws: _Draws, scale: Pair, ratio: Pair) -> Crop:
    # The order of the draws (area, shape, then row and column of a crop that fits) is part of the contract.
    for _ in range(_CROP_ATTEMPTS):
        area = height * width * draws.uniform(scale)
        shape = draws.log_uniform(ratio)
        crop_width, crop_height = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            top = draws.below(height - crop_height + 1)
            return Crop(top, draws.below(width - crop_width + 1), crop_height, crop_width)
    return _largest_centered_crop(height, width, ratio)


def _largest_centered_crop(height: int, width: int, ratio: Pair) -> Crop:
    crop_height, crop_width = height, width
    if width / height < min(ratio):
        crop_height = round(width / min(ratio))
    elif width / height > max(ratio):
        crop_width = round(height * max(ratio))
    return Crop((height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width)


def crop_resize(frames: Tensor, crop: Crop, size: tuple[int, int], flip: bool = False) -> Tensor:
    """Cuts the same rectangle out of all frames and resizes it, bicubic with antialiasing, on uint8.

    Args:
        frames: (N, H, W, 3) uint8.
        crop: What to cut out.
        size: (height, width) of the result.
        flip: Mirror left and right.

    Returns:
        (N, 3, height, width) uint8, stored channels last as the input is.
    """
    # A view: torch has a vectorized path for uint8 channels-last images and reads the crop in place. Numpy
    # makes the view, because torch takes three times as long for it.
    rows, columns = slice(crop.top, crop.top + crop.height), slice(crop.left, crop.left + crop.width)
    view = torch.from_numpy(frames.numpy()[:, rows, columns].transpose(0, 3, 1, 2))
    resized = F.interpolate(view, size=size, mode="bicubic", antialias=True, align_corners=False)
    return resized.flip(-1) if flip else resized


def crop_resize_pil(frames: Tensor, crop: Crop, size: tuple[int, int], flip: bool = False) -> Tensor:
    """Like :func:`crop_resize`, by Pillow: the published pixels exactly, about six times slower.

    The width is resized first, then the height, each pass rounded. Asked for both at once, Pillow does so too
    before version 13; since then it takes the cheaper order, which changes pixels by several gray levels.
    """
    corners = (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height)
    images = [Image.fromarray(frame.numpy()).crop(corners) for frame in frames]
    for width_height in ((size[1], crop.height), size[::-1]):
        images = [image.resize(width_height, Image.Resampling.BICUBIC) for image in images]
    result = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
    return result.flip(-1) if flip else result


def normalize(
    images: Tensor,
    mean: Triple = IMAGENET_MEAN,
    std: Triple = IMAGENET_STD,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Turns pixels into standardized floats; meant to be called once per batch, on the device.

    Args:
        images: (..., 3, H, W) uint8.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        dtype: Type of the result; the computation is in float32.

    Returns:
        (..., 3, H, W), contiguous.
    """
    shift, scale = _per_channel(mean, std, images)
    factor = 1 / scale
    values = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    # A device takes all at once. On the CPU an image at a time stays in the cache for all three passes.
    whole = images.device.type != "cpu" or images.ndim == 3
    pieces = [(images, values)] if whole else zip(images.flatten(0, -4), values.flatten(0, -4), strict=True)
    for image, value in pieces:
        value.copy_(image).sub_(shift).mul_(factor)
    return values.to(dtype)


def denormalize(images: Tensor, mean: Triple = IMAGENET_MEAN, std: Triple = IMAGENET_STD) -> Tensor:
    """Inverts :func:`normalize`: (..., 3, H, W) floats to uint8, rounded and clipped to [0, 255]."""
    shift, scale = _per_channel(mean, std, images)
    return images.to(torch.float32).mul(scale).add_(shift).round_().clamp_(0, 255).to(torch.uint8)


def _per_channel(mean: Triple, std: Triple, images: Tensor) -> tuple[Tensor, Tensor]:
    """Shift and scale for values in [0, 255]: one subtraction and one multiplication do all of it."""
    statistics = 255 * torch.tensor((mean, std), dtype=torch.float32, device=images.device)
    return statistics[0].view(3, 1, 1), statistics[1].view(3, 1, 1)


class FrameTransform(FrozenConfig):
    """One random crop and one random flip, the same for all frames of a group."""

    size: PositiveInt = 224
    """Height and width of the result in pixels."""
    scale: Pair = (0.5, 1.0)
    """Bounds of the crop's share of the frame's area."""
    ratio: Pair = (3 / 4, 4 / 3)
    """Bounds of the crop's width over its height."""
    flip_probability: float = 0.5
    """Probability of mirroring left and right."""
    exact: bool = False
    """Resize by Pillow: bit-exact with the published pixels, about six times slower."""

    def __call__(self, frames: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
        """Transforms (N, H, W, 3) uint8 frames to (N, 3, size, size) uint8."""
        height, width = frames.shape[1:3]
        crop = random_resized_crop(height, width, rng, self.scale, self.ratio)
        flip = bool(rng.random() < self.flip_probability)
        resize = crop_resize_pil if self.exact else crop_resize
        return resize(torch.from_numpy(frames), crop, (self.size, self.size), flip)
