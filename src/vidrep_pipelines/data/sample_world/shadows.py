"""Soft shadows on the table."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vidrep_pipelines.data.sample_world.camera import Camera
from vidrep_pipelines.data.sample_world.geometry import ByteArray, FloatArray

_SHARE = 2  # shadows are soft, so that half the resolution is enough
_CAST, _CONTACT = 118, 80  # brightness, of 255, within a cast shadow and right under an object


class Shadows:
    """The brightness of the table: 255 in the light, less in shadow.

    Args:
        camera: Where it is seen from.
        direction: How far, in x and z, the shadow of something at height 1 falls.
        far: z of the table's far edge, where shadows end.
        width: Picture width in pixels.
        height: Picture height in pixels.
    """

    def __init__(
        self, camera: Camera, direction: tuple[float, float], far: float, width: int, height: int
    ) -> None:
        self._camera, self._direction, self._far = camera, direction, far
        self._size = (width, height)
        self._picture = Image.new("L", (width // _SHARE, height // _SHARE), 255)
        self._pencil = ImageDraw.Draw(self._picture)

    def cast(self, outline: FloatArray, thickness: float) -> None:
        """The shadow of an upright plate of some thickness with the outline (N, 3)."""
        height = np.maximum(outline[:, 1], 0)
        x = outline[:, 0] + self._direction[0] * height
        for side in (-0.5, 0.0, 0.5):
            z = np.minimum(outline[:, 2] + self._direction[1] * height + side * thickness, self._far)
            self._draw(np.column_stack([x, np.zeros(len(x)), z]), _CAST)

    def contact(self, x: float, z: float, radius: float, height: float) -> None:
        """The dark spot below something round of a radius, fading as it is lifted off the table."""
        fade = max(0.0, 1 - height / 0.25)
        if fade > 0:
            angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
            ring = [x + 1.05 * radius * np.cos(angles), np.zeros(16), z + 0.6 * radius * np.sin(angles)]
            self._draw(np.column_stack(ring), int(_CAST + (_CONTACT - _CAST) * fade))

    def _draw(self, points: FloatArray, brightness: int) -> None:
        pixels: Sequence[float] = (self._camera.project(points) / _SHARE).ravel().tolist()
        self._pencil.polygon(pixels, fill=brightness)

    def brightness(self) -> ByteArray:
        """The table's brightness at each pixel, (H, W)."""
        blur = self._size[0] / 140 / _SHARE
        soft = self._picture.filter(ImageFilter.GaussianBlur(blur))
        return np.asarray(soft.resize(self._size, Image.Resampling.BILINEAR))
