"""Light that changes, and what a lens and a sensor add to it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.common.seeds import generator_for
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


class Sensor:
    """Photon and read-out noise with standard deviation ``level`` (grey levels) where it is bright."""

    def __init__(self, seed: int, width: int, height: int, level: float) -> None:
        self._seed, self._level = seed, level
        rng = generator_for(seed, "sensor")
        shape = (height + _SPARE, width + _SPARE)
        grey = rng.standard_normal((*shape, 1), dtype=np.float32)
        color = rng.standard_normal((*shape, 3), dtype=np.float32)
        grain = (0.85 * grey + 0.5 * color) * np.float32(level)
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
