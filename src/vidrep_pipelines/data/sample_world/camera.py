"""A pinhole camera and the way it is carried."""

from dataclasses import dataclass, replace

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.seeds import generator_for


@dataclass(frozen=True)
class Camera:
    """A pinhole camera at one moment.

    Attributes:
        position: (3,) in the world: x to the right, y up from the table, z away from the viewer.
        axes: (3, 3), rows right, up and forward.
        focal: Focal length in pixels.
        center: Principal point in pixels from the picture's top left corner.
        side: 1, or -1 for a world that is shown mirrored.
    """

    position: FloatArray
    axes: FloatArray
    focal: float
    center: tuple[float, float]
    side: float

    @property
    def viewpoint(self) -> FloatArray:
        """(3,) the camera's position as the world before mirroring sees it."""
        return self.position * (self.side, 1.0, 1.0)

    def project(self, points: FloatArray) -> FloatArray:
        """World points (N, 3) to pixels (N, 2); the top left corner of the picture is (0, 0)."""
        local = (points * (self.side, 1.0, 1.0) - self.position) @ self.axes.T
        scale = self.focal / local[:, 2]
        return np.column_stack([self.center[0] + local[:, 0] * scale, self.center[1] - local[:, 1] * scale])


@dataclass(frozen=True)
class Viewpoint:
    """Where a camera stands before anybody moves it.

    Attributes:
        position: (3,) in the world.
        aim: (3,) what is in the middle of the picture.
        distance: World units from the camera to what is filmed.
        width: World units that the picture's width spans at that distance.
    """

    position: tuple[float, float, float] = (0.0, 1.6, -4.0)
    aim: tuple[float, float, float] = (0.0, 0.62, 0.0)
    distance: float = 4.0
    width: float = 3.1

    def mirrored(self) -> "Viewpoint":
        """The same with left and right exchanged."""
        flipped = [(-x, y, z) for x, y, z in (self.position, self.aim)]
        return replace(self, position=flipped[0], aim=flipped[1])


IN_FRONT = Viewpoint()
"""Opposite the arm, all that it reaches in view."""


@dataclass(frozen=True)
class _Sway:
    """A sum of sine waves with random phases: a smooth, unhurried, repeatable motion."""

    amplitudes: FloatArray
    frequencies: FloatArray
    phases: FloatArray

    @classmethod
    def draw(cls, rng: np.random.Generator, amplitude: float, low: float, high: float) -> "_Sway":
        shares = rng.dirichlet(np.ones(3)) * amplitude
        return cls(shares, rng.uniform(low, high, 3), rng.uniform(0, 2 * np.pi, 3))

    def at(self, seconds: float) -> float:
        angles = 2 * np.pi * self.frequencies * seconds + self.phases
        return float(self.amplitudes @ np.sin(angles))


class CameraPath:
    """Where the camera is at each moment: a slow pan, dolly and zoom of some strength, and a hand's tremor.

    Args:
        seed: The path follows from it.
        width: Picture width in pixels.
        height: Picture height in pixels.
        mirrored: Whether the world is shown with left and right exchanged.
        viewpoint: Where it stands; the path leads around it.
        strength: Share of the motion that is made: 1 for a hand, 0 for a tripod.
    """

    def __init__(
        self,
        seed: int,
        width: int,
        height: int,
        mirrored: bool = False,
        viewpoint: Viewpoint = IN_FRONT,
        strength: float = 1.0,
    ) -> None:
        rng = generator_for(seed, "camera")
        self._side = -1.0 if mirrored else 1.0
        self._center = (width / 2, height / 2)
        # A wide picture keeps the width of the scene, a tall one is not allowed to crop the arm.
        self._focal = max(width, height * 4 / 3) * viewpoint.distance / viewpoint.width
        self._viewpoint = viewpoint
        self._pan = _Sway.draw(rng, strength * rng.uniform(0.15, 0.6), 0.05, 0.2)
        self._rise = _Sway.draw(rng, strength * rng.uniform(0.02, 0.12), 0.05, 0.15)
        self._dolly = _Sway.draw(rng, strength * rng.uniform(0.05, 0.3), 0.05, 0.15)
        self._zoom = _Sway.draw(rng, strength * rng.uniform(0.0, 0.06), 0.05, 0.2)
        tremor = strength * rng.uniform(0.004, 0.016)
        self._tremor_x = _Sway.draw(rng, tremor, 0.6, 2.5)
        self._tremor_y = _Sway.draw(rng, tremor, 0.6, 2.5)
        self._roll = _Sway.draw(rng, tremor, 0.2, 0.8)

    def at(self, seconds: float) -> Camera:
        """The camera ``seconds`` after the start."""
        pan = self._pan.at(seconds)
        x, y, z = self._viewpoint.position
        position = np.array([x + pan, y + self._rise.at(seconds), z + self._dolly.at(seconds)])
        aim = np.array(self._viewpoint.aim)
        aim[:2] += (0.45 * pan + self._tremor_x.at(seconds), self._tremor_y.at(seconds))
        axes = _look(aim - position, self._roll.at(seconds))
        focal = self._focal * (1 + self._zoom.at(seconds))
        return Camera(position, axes, focal, self._center, self._side)


def _look(direction: FloatArray, roll: float) -> FloatArray:
    forward = direction / np.linalg.norm(direction)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    up = np.cross(forward, right)
    cosine, sine = np.cos(roll), np.sin(roll)
    return np.stack([cosine * right + sine * up, cosine * up - sine * right, forward])
