"""How the frames of a view are changed in training, and fitted to the model outside of it."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig

Pair = tuple[float, float]
EvaluationCrop = Literal["short_side_center", "resize", "center_native"]
"""``short_side_center``: the central square, resized. ``resize``: the whole frame, without keeping its shape.
``center_native``: the central square of the model's size without resizing, as published for the contrastive
models; of a 640x360 frame that is a fifth."""


class AugmentationConfig(FrozenConfig):
    """One draw for all frames of a view. Defaults are those of self-supervised training; see ``basic``."""

    crop_scale: Pair | None = (0.8, 1.0)
    """Bounds of the crop's share of the frame's area. None: the whole frame."""

    crop_ratio: Pair = (3 / 4, 4 / 3)
    """Bounds of the crop's width over its height."""

    flip_probability: float = Field(0.5, ge=0, le=1)
    """Of mirroring left and right."""

    jitter_probability: float | None = Field(0.8, ge=0, le=1)
    """Of changing colours, in random order. None: always, in the order of the fields below."""

    brightness: float = Field(0.8, ge=0)
    """Half the range of the brightness factor around 1; 0.8 times the published strength."""

    contrast: float = Field(0.8, ge=0)
    """Half the range of the contrast factor around 1."""

    saturation: float = Field(0.8, ge=0)
    """Half the range of the saturation factor around 1."""

    hue: float = Field(0.2, ge=0, le=0.5)
    """Half the range of the shift of hue, in turns of the colour circle."""

    blur_probability: float = Field(0.5, ge=0, le=1)
    """Of blurring where colours are changed; 0 for FineGym."""

    blur_radius: Pair = (0.1, 2.0)
    """Bounds of the Gaussian's standard deviation, in pixels of the resized frame."""

    blur_times: int = Field(1, ge=1, le=4)
    """How often the blur is applied. The original blurs after each of the four colour operations (4), in
    effect with twice the radius; the paper blurs once."""

    gray_probability: float = Field(0.2, ge=0, le=1)
    """Of taking the colours away."""

    exact: bool = False
    """Work frame by frame through Pillow in the data loader, with the published rounding; much slower."""

    @classmethod
    def basic(cls) -> "AugmentationConfig":
        """What the published baselines that are not contrastive use."""
        return cls(
            crop_scale=None,
            jitter_probability=None,
            brightness=32 / 255,
            contrast=0.5,
            saturation=0.0,
            hue=0.0,
            blur_probability=0.0,
            gray_probability=0.0,
        )

    @classmethod
    def none(cls) -> "AugmentationConfig":
        """Whole frames as they are."""
        return cls(crop_scale=None, flip_probability=0.0, jitter_probability=0.0, gray_probability=0.0)
