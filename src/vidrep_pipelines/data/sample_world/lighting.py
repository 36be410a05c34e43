"""Light on the sample world: where it comes from, and the shadows it throws."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sample_world.camera import Camera
from vidrep_pipelines.data.sample_world.geometry import ByteArray
from vidrep_pipelines.data.sample_world.materials import noise

_CELLS = 24  # the light field is coarse: clouds and the falloff of a lens are smooth
_SPARE = 48  # extra rows and columns of the noise, from which each frame takes another window


class Light:
    """Sunlight whose strength, color, direction and cloud shadows drift, and the vignette of the lens.

    Args:
        seed: All of it follows from this.
        width: Picture width in pixels.
        height: Picture height in pixels.
    """

    def __init__(self, seed: int, width: int, height: int) -> None:
        rng = generator_for(seed, "light")
        self._size = (width, height)
        self._strength, self._drift = rng.uniform(0.88, 1.06), rng.uniform(0.05, 0.16)
        self._period, self._start = rng.uniform(2.5, 7.0), rng.uniform(0, 2 * np.pi)
        self._warmth = rng.uniform(-0.05, 0.08)
        clouds = noise(rng, _CELLS, 4 * _CELLS, (2, 8), 3) * rng.uniform(0.02, 0.08)
        self._clouds = np.concatenate(
            [clouds, clouds[:, ::-1]], axis=1
        )  # passes the view again and again, seamlessly
        self._wind = rng.uniform(1.0, 6.0) * (1 if rng.integers(2) else -1)
        self._direction = np.array(
            [rng.uniform(0.25, 0.85) * (1 if rng.integers(2) else -1), rng.uniform(0.15, 0.5)]
        )
        rows, columns = np.meshgrid(*[np.linspace(-1, 1, _CELLS)] * 2, indexing="ij")
        self._vignette = 1 - rng.uniform(0.1, 0.24) * (rows**2 + columns**2) / 2

    def direction(self, seconds: float) -> tuple[float, float]:
        """How far, in x and in z, the shadow of something at height 1 falls."""
        turn = 0.12 * np.sin(2 * np.pi * seconds / (1.7 * self._period) + self._start)
        return float(self._direction[0] + turn), float(self._direction[1])

    def gain(self, seconds: float) -> NDArray[np.float32]:
        """Brightness factor of each pixel and channel, (H, W, 3)."""
        wave = np.sin(2 * np.pi * seconds / self._period + self._start)
        shift = int(np.floor(self._wind * seconds))
        part = self._wind * seconds - shift
        columns = np.arange(_CELLS)
        first, second = (self._clouds[:, (columns + shift + more) % self._clouds.shape[1]] for more in (0, 1))
        field = (self._strength + self._drift * wave + (1 - part) * first + part * second) * self._vignette
        grid = Image.fromarray(field.astype(np.float32)).resize(self._size, Image.Resampling.BILINEAR)
        warmth = self._warmth + 0.03 * wave
        tint = np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
        return np.asarray(np.asarray(grid)[..., None] * tint)


class EvenLight:
    """Light that is everywhere and always the same, for pictures (``height``, ``width``)."""

    def __init__(self, width: int, height: int) -> None:
        self._gain = np.ones((height, width, 1), np.float32)

    def direction(self, seconds: float) -> tuple[float, float]:
        """As ``Light.direction``."""
        return 0.3, 0.25

    def gain(self, seconds: float) -> NDArray[np.float32]:
        """As ``Light.gain``, (H, W, 1)."""
        return self._gain


class Sensor:
    """Photon and read-out noise with standard deviation ``level`` (gray levels) where it is bright."""

    def __init__(self, seed: int, width: int, height: int, level: float) -> None:
        self._seed, self._level = seed, level
        rng = generator_for(seed, "sensor")
        shape = (height + _SPARE, width + _SPARE)
        gray = rng.standard_normal((*shape, 1), dtype=np.float32)
        color = rng.standard_normal((*shape, 3), dtype=np.float32)
        grain = (0.85 * gray + 0.5 * color) * np.float32(level)
        self._constant, self._relative = grain * np.float32(0.45), grain * np.float32(0.55 / 255)

    def expose(self, pixels: ByteArray, gain: NDArray[np.float32], index: int) -> ByteArray:
        """The picture (H, W, 3) that is recorded of ``pixels`` under ``gain`` as frame ``index``."""
        light = pixels.astype(np.float32)
        if self._level > 0:
            rng = generator_for(self._seed, "frame", index)
            top, left = rng.integers(0, _SPARE, 2)
            window = np.s_[top : top + pixels.shape[0], left : left + pixels.shape[1]]
            light *= gain + self._relative[window]
            light += self._constant[window]
        else:
            light *= gain
        light += np.float32(0.5)
        return np.clip(light, 0, 255, out=light).astype(np.uint8)


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
