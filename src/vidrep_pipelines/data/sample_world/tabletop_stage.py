"""With what a tabletop is shown: its two cameras, and its plain or photographic look."""

from dataclasses import replace

import numpy as np
from PIL import Image

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sample_world.arm_sprites import paint_arm
from vidrep_pipelines.data.sample_world.body_sprites import paint_body
from vidrep_pipelines.data.sample_world.camera import CameraPath, Viewpoint
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.lighting import EvenLight, Light, Sensor
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.pieces import Piece
from vidrep_pipelines.data.sample_world.prop_sprites import drop_sprite, surface, table_corners
from vidrep_pipelines.data.sample_world.renderer import Renderer, Stage
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.scenery import TABLE_FAR, Scenery, paint_scenery
from vidrep_pipelines.data.sample_world.tabletop import CameraName, TabletopConfig, TabletopSeeds

ARM_COLOR: ColorName = "white"
"""No object has it, so that no instruction can mean the arm."""

VIEWPOINTS: dict[CameraName, Viewpoint] = {
    "front": Viewpoint(position=(-0.03, 1.5, -4.0), aim=(-0.03, 0.5, 0.0), width=2.8),
    "side": Viewpoint(position=(2.2, 2.2, -3.4), aim=(-0.02, 0.44, 0.0), distance=4.4, width=2.75),
}
"""Where the cameras stand while the arm's base is on the left."""
_WALL, _TABLE = (0.62, 0.68, 0.74), (0.47, 0.42, 0.38)
_WALL_CORNERS = np.array([[-9.0, 7.0, 6.0], [9.0, 7.0, 6.0], [9.0, -4.0, 6.0], [-9.0, -4.0, 6.0]])
_SIDE_BACKDROP = 2.4  # how much larger the photograph is that fills the picture of the side camera
_PHOTOGRAPHIC_NOISE, _PHOTOGRAPHIC_SHUTTER = 2.5, 0.5


def tabletop_renderers(
    scene: Scene, config: TabletopConfig, seeds: TabletopSeeds
) -> dict[CameraName, Renderer]:
    """One renderer for each camera; all of them show the same things."""
    pictures = _pictures(config)
    scenery = _scenery(scene, config, seeds)
    light = _light(config, seeds)
    renderers = {}
    for camera in config.cameras:
        path = _camera_path(camera, scene.mirrored, config, seeds)
        sensor = Sensor(_of_camera(seeds.light, camera), config.width, config.height, pictures.sensor_noise)
        behind = _wider_backdrop(scenery) if camera == "side" else scenery
        renderers[camera] = Renderer(scene, pictures, Stage(behind, path, light, sensor))
    return renderers


def _pictures(config: TabletopConfig) -> SampleWorldConfig:
    """The renderer's settings: without noise and motion blur in the plain look."""
    photographic = config.look == "photographic"
    return SampleWorldConfig(
        width=config.width,
        height=config.height,
        frames_per_second=config.frames_per_second,
        shutter=_PHOTOGRAPHIC_SHUTTER if photographic else 0.0,
        sensor_noise=_PHOTOGRAPHIC_NOISE if photographic else 0.0,
    )


def _camera_path(
    camera: CameraName, mirrored: bool, config: TabletopConfig, seeds: TabletopSeeds
) -> CameraPath:
    strength = config.camera_motion
    if strength is None:
        strength = 1.0 if config.look == "photographic" else 0.0
    viewpoint = VIEWPOINTS[camera].mirrored() if mirrored else VIEWPOINTS[camera]
    seed = _of_camera(seeds.camera, camera)
    return CameraPath(seed, config.width, config.height, mirrored, viewpoint, strength)


def _of_camera(seed: int, camera: CameraName) -> int:
    return int(generator_for(seed, camera).integers(2**62))


def _light(config: TabletopConfig, seeds: TabletopSeeds) -> Light | EvenLight:
    if config.look == "plain":
        return EvenLight(config.width, config.height)
    return Light(seeds.light, config.width, config.height)


def _scenery(scene: Scene, config: TabletopConfig, seeds: TabletopSeeds) -> Scenery:
    if config.look == "photographic":
        return paint_scenery(scene, config.width)
    density = max(40.0, 0.44 * config.width)
    rng = generator_for(seeds.scenery, "plain scenery")
    return Scenery(
        backdrop=(Image.new("RGB", (8, 8), _gray_levels(_WALL)), _WALL_CORNERS),
        table=Piece(surface(np.full((8, 8, 3), _TABLE)), table_corners(-4.0, 4.0, TABLE_FAR, -2.0)),
        props=(),
        arm=paint_arm(rng, density, scene.arm_color),
        bodies=tuple(paint_body(rng, density, body) for body in scene.bodies),
        strings=tuple(None for _ in scene.bodies),
        drop=drop_sprite("white", density),
        plants=(),
    )


def _wider_backdrop(scenery: Scenery) -> Scenery:
    picture, corners = scenery.backdrop
    return replace(scenery, backdrop=(picture, corners * (_SIDE_BACKDROP, _SIDE_BACKDROP, 1.0)))


def _gray_levels(color: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in color)
    return red, green, blue
