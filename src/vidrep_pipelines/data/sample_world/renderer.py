"""The picture of a moment, with the ground truth that belongs to it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.camera import Camera, CameraPath
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.geometry import ByteArray, homography, upright
from vidrep_pipelines.data.sample_world.lighting import EvenLight, Light, Sensor, Shadows
from vidrep_pipelines.data.sample_world.pieces import (
    AGENT,
    Piece,
    arm_pieces,
    behind_content,
    in_front,
    placed,
    shown_gap,
    silhouette,
)
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.scenery import TABLE_FAR, Scenery, paint_scenery
from vidrep_pipelines.data.sample_world.world import Snapshot

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


@dataclass(frozen=True)
class RenderedFrame:
    """A frame and its truth.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        masks: (H, W) uint8: 0 background, 1 the arm, 2 and on the objects in the scene's order.
        parts: (H, W) uint8: index into ``arm.PART_NAMES``.
        keypoints: (K, 3) float32: x and y, where integers are pixel centers, and 1 if visible, 0 if
            outside the picture or covered by something else than the arm.
    """

    pixels: ByteArray
    masks: ByteArray
    parts: ByteArray
    keypoints: NDArray[np.float32]


@dataclass(frozen=True)
class Stage:
    """What a scene is shown with: its textures, and the camera, light and sensor that film it."""

    scenery: Scenery
    path: CameraPath
    light: Light | EvenLight
    sensor: Sensor

    @classmethod
    def of(cls, scene: Scene, config: SampleWorldConfig) -> "Stage":
        """The stage that follows from the scene's seed."""
        size = (config.width, config.height)
        return cls(
            paint_scenery(scene, config.width),
            CameraPath(scene.seed, *size, scene.mirrored),
            Light(scene.seed, *size),
            Sensor(scene.seed, *size, config.sensor_noise),
        )


class Renderer:
    """Draws the world of one episode.

    Args:
        scene: What the episode consists of.
        config: Size, frame rate, shutter and noise.
        stage: What it is shown with; None for the one that follows from the scene's seed.
    """

    def __init__(self, scene: Scene, config: SampleWorldConfig, stage: Stage | None = None) -> None:
        self._scene, self._config = scene, config
        self._size = (config.width, config.height)
        stage = stage or Stage.of(scene, config)
        self._scenery, self._path = stage.scenery, stage.path
        self._light, self._sensor = stage.light, stage.sensor

    def render(
        self, now: Snapshot, before: Snapshot, index: int, hidden: Collection[int] = ()
    ) -> RenderedFrame:
        """Draws frame ``index``.

        Args:
            now: The state to show.
            before: The state one frame earlier, from which the motion blur follows.
            index: Frame number; camera, light and noise follow from it.
            hidden: Ids that are left out of the picture, shadows included.
        """
        seconds = index / self._config.frames_per_second
        camera = self._path.at(seconds)
        behind = self._behind(camera, now, seconds, hidden)
        canvas = self._exposed(behind, camera, now, before, hidden)
        _draw(canvas, camera, self._standing(camera, front=True), hidden)
        _draw(canvas, camera, (plant.piece(seconds) for plant in self._scenery.plants), hidden)
        pixels = self._sensor.expose(canvas.pixels, self._light.gain(seconds), index)
        return RenderedFrame(pixels, canvas.masks, canvas.parts, self._keypoints(now, camera, canvas.masks))

    def _behind(self, camera: Camera, now: Snapshot, seconds: float, hidden: Collection[int]) -> Canvas:
        """The backdrop, the table with its shadows, and what stands behind the arm."""
        picture, corners = self._scenery.backdrop
        coefficients = homography(camera.project(corners), picture.width, picture.height) or ()
        view = picture.transform(
            self._size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
        )
        canvas = Canvas(np.array(view))
        _draw(canvas, camera, [self._scenery.table], ())
        brightness = self._shadows(camera, now, seconds, hidden).astype(np.uint16)[..., None]
        canvas.pixels = (canvas.pixels * brightness // 255).astype(np.uint8)
        _draw(canvas, camera, self._scenery.props, ())
        _draw(canvas, camera, self._standing(camera, front=False), hidden)
        return canvas

    def _shadows(self, camera: Camera, now: Snapshot, seconds: float, hidden: Collection[int]) -> ByteArray:
        shadows = Shadows(camera, self._light.direction(seconds), TABLE_FAR, *self._size)
        if AGENT not in hidden:
            for piece in arm_pieces(self._scenery.arm, arm.forward(now.joints), self._gap(now)):
                shadows.cast(piece.corners, 0.16)
            shadows.contact(arm.SHOULDER[0], 0.0, 0.27, 0.0)
        for index, body in enumerate(self._scene.bodies):
            if AGENT + 1 + index not in hidden:
                x, y, angle = now.places[index].tolist()
                shadows.cast(upright(silhouette(body), x, y, body.lane, angle), body.half_width)
                shadows.contact(x, body.lane, body.half_width, y - body.half_height)
        return shadows.brightness()

    def _standing(self, camera: Camera, front: bool) -> Iterator[Piece]:
        """The objects that the arm cannot reach: those in front of it, or those behind it."""
        for index, body in sorted(enumerate(self._scene.bodies), key=lambda item: -item[1].lane):
            if (body.lane < 0) if front else (body.lane > 0):
                place = np.array([body.x, body.half_height, 0.0])
                yield from self._whole(index, place, float(body.filled), camera)

    def _whole(self, index: int, place: FloatArray, fill: float, camera: Camera) -> Iterator[Piece]:
        body, sprites, mask = self._scene.bodies[index], self._scenery.bodies[index], AGENT + 1 + index
        yield from behind_content(body, sprites, place, fill, mask)
        yield from in_front(body, sprites, place, camera.viewpoint, mask)

    def _gap(self, snapshot: Snapshot) -> float:
        return shown_gap(self._scene.bodies, snapshot)

    def _moving(self, snapshot: Snapshot, camera: Camera) -> Iterator[Piece]:
        """The arm and what it can reach, far to near, lower before higher."""
        bodies, sprites = self._scene.bodies, self._scenery.bodies
        reachable = [index for index, body in enumerate(bodies) if body.lane == 0.0]
        reachable.sort(key=lambda index: snapshot.places[index, 1])
        free_bowls = [index for index in reachable if bodies[index].shape == "bowl"]
        places, fills = snapshot.places, snapshot.fills
        for index in free_bowls:
            yield from behind_content(
                bodies[index], sprites[index], places[index], fills[index], AGENT + 1 + index
            )
        for index in reachable:
            string = self._scenery.strings[index]
            if string is not None:
                yield placed(string, places[index], 0.0, float(places[index, 2]))
            if index not in free_bowls:
                yield from self._whole(index, places[index], fills[index], camera)
        yield from arm_pieces(self._scenery.arm, arm.forward(snapshot.joints), self._gap(snapshot))
        for drop in snapshot.drops:
            yield placed(self._scenery.drop, drop, 0.0)
        for index in free_bowls:
            yield from in_front(
                bodies[index], sprites[index], places[index], camera.viewpoint, AGENT + 1 + index
            )

    def _exposed(
        self, behind: Canvas, camera: Camera, now: Snapshot, before: Snapshot, hidden: Collection[int]
    ) -> Canvas:
        """Averages what moves over the time for which the shutter is open; labels are those of its middle."""
        count = self._exposures(camera, now, before)
        total = np.zeros(behind.pixels.shape, np.uint16)
        middle = behind
        for step in range(count):
            offset = ((step + 0.5) / count - 0.5) * self._config.shutter
            moved = now.moved(before, offset, offset / self._config.frames_per_second)
            canvas = behind.copy()
            _draw(canvas, camera, self._moving(moved, camera), hidden)
            total += canvas.pixels
            if step == count // 2:
                middle = canvas
        middle.pixels = (total // count).astype(np.uint8)
        return middle

    def _exposures(self, camera: Camera, now: Snapshot, before: Snapshot) -> int:
        """An odd number, so that the middle one is of the very moment; more when things move farther."""
        ends = [
            np.vstack([arm.keypoints(arm.forward(state.joints), 0.1), state.places[:, :2]])
            for state in (before, now)
        ]
        pixels = [camera.project(np.column_stack([points, np.zeros(len(points))])) for points in ends]
        blur = float(np.abs(pixels[1] - pixels[0]).max()) * self._config.shutter
        return 1 if blur < 0.6 else 3 if blur < 5 else 5

    def _keypoints(self, now: Snapshot, camera: Camera, masks: ByteArray) -> NDArray[np.float32]:
        points = arm.keypoints(arm.forward(now.joints), self._gap(now))
        pixels = camera.project(np.column_stack([points, np.zeros(len(points))])) - 0.5
        column, row = np.round(pixels).astype(int).T
        inside = (column >= 0) & (column < self._size[0]) & (row >= 0) & (row < self._size[1])
        seen = np.zeros(len(points))
        seen[inside] = masks[row[inside], column[inside]] == AGENT
        return np.column_stack([pixels, seen]).astype(np.float32)


def _draw(canvas: Canvas, camera: Camera, pieces: Iterable[Piece], hidden: Collection[int]) -> None:
    for piece in pieces:
        if piece.mask not in hidden:
            canvas.draw(piece.texture, camera.project(piece.corners), piece.mask, piece.part)
