"""The picture being drawn, with the label of what each pixel shows."""

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.geometry import ByteArray, homography

_OPAQUE = 128  # a pixel belongs to what covers at least half of it


class Canvas:
    """Pixels (H, W, 3), object masks (H, W) and part labels (H, W), drawn far to near.

    A label is written from the very coverage with which the pixels are painted, so that it cannot disagree
    with the picture; whatever has no label of its own hides those behind it.
    """

    def __init__(self, pixels: ByteArray) -> None:
        self.pixels = pixels
        self.masks: ByteArray = np.zeros(pixels.shape[:2], np.uint8)
        self.parts: ByteArray = np.zeros(pixels.shape[:2], np.uint8)

    def copy(self) -> "Canvas":
        """An independent copy."""
        other = Canvas(self.pixels.copy())
        other.masks, other.parts = self.masks.copy(), self.parts.copy()
        return other

    def draw(self, texture: Image.Image, corners: FloatArray, mask: int = 0, part: int = 0) -> None:
        """Draws a texture (mode ``RGBa``: colors multiplied by coverage) into a quadrilateral.

        Args:
            texture: What to draw; bilinear sampling.
            corners: Pixels (4, 2) of its top left, top right, bottom right and bottom left corner.
            mask: Object id of the pixels that are covered by at least half.
            part: Part id of the same pixels.
        """
        height, width = self.masks.shape
        left, top = np.maximum(np.floor(corners.min(0)), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(corners.max(0)), (width, height)).astype(int).tolist()
        coefficients = homography(corners - (left, top), texture.width, texture.height)
        if right <= left or bottom <= top or coefficients is None:
            return
        warped = np.asarray(
            texture.transform(
                (right - left, bottom - top),
                Image.Transform.PERSPECTIVE,
                coefficients,
                Image.Resampling.BILINEAR,
            )
        )
        region = np.s_[top:bottom, left:right]
        coverage = warped[..., 3]
        remaining = (255 - coverage).astype(np.uint16)[..., None]
        self.pixels[region] = warped[..., :3] + ((self.pixels[region] * remaining + 127) // 255).astype(
            np.uint8
        )
        covered = coverage >= _OPAQUE
        self.masks[region][covered] = mask
        self.parts[region][covered] = part
