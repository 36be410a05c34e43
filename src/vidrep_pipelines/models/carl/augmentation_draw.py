"""The random choices of an augmentation, the same for all frames of a view."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from vidrep_pipelines.data.transforms import Crop, random_resized_crop
from vidrep_pipelines.models.carl.augmentation_config import AugmentationConfig, Pair

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
COLOR_NUMBERS = 10
"""Length of a colour change as a tensor."""

_ABSENT = -1


@dataclass(frozen=True)
class ColorChange:
    """What is done to colours.

    Attributes:
        order: The operations (``BRIGHTNESS`` ...) in their order; empty: none, and no blur either.
        amounts: Of each operation by its number: three factors, and a shift of hue in turns.
        blur_radius: Standard deviation of the blur in pixels; 0: none.
        gray: Whether colours are taken away at the end.
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
    """One draw: what is cut out, whether it is mirrored, and what is done to its colours."""

    crop: Crop
    flip: bool
    colors: ColorChange


def draw_augmentation(
    height: int, width: int, config: AugmentationConfig, rng: np.random.Generator
) -> AugmentationDraw:
    """Draws in the published order, so that recorded draws can be replayed.

    Args:
        height: Of the frames in pixels.
        width: Of the frames in pixels.
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
