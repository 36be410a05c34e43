import dataclasses

import numpy as np
import pytest

from vidrep_pipelines.data.sample_world.renderer import RenderedFrame
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.tabletop import (
    CameraName,
    LookName,
    TabletopConfig,
    TabletopSeeds,
    draw_layout,
)
from vidrep_pipelines.data.sample_world.tabletop_expert import TabletopTask
from vidrep_pipelines.data.sample_world.tabletop_stage import ARM_COLOR, tabletop_renderers


def shown(config: TabletopConfig, seed: int = 0, index: int = 0) -> dict[CameraName, RenderedFrame]:
    seeds = TabletopSeeds.of(seed)
    layout = draw_layout(config, seeds.layout)
    task = TabletopTask(layout, layout.instructions()[0])
    scene = Scene(seeds.scenery, task, layout.bodies, layout.start, layout.mirrored, ARM_COLOR)
    now = scene.world(config.frames_per_second).snapshot()
    renderers = tabletop_renderers(scene, config, seeds)
    return {camera: renderer.render(now, now, index) for camera, renderer in renderers.items()}


@pytest.mark.parametrize("look", ["plain", "photographic"])
def test_both_cameras_see_every_object(look: LookName) -> None:
    config = TabletopConfig(look=look, objects_min=3, camera_motion=0.0)
    for camera, frame in shown(config).items():
        assert frame.pixels.shape == (64, 64, 3)
        assert set(range(5)) >= set(np.unique(frame.masks).tolist()) >= {0, 1}, camera
        if look == "plain":
            assert set(np.unique(frame.masks).tolist()) == {0, 1, 2, 3, 4}


def test_cameras_differ_and_stay_where_they_are_on_a_tripod() -> None:
    first, later = (shown(TabletopConfig(), index=index) for index in (0, 16))
    assert not np.array_equal(first["front"].pixels, first["side"].pixels)
    for camera in first:
        np.testing.assert_array_equal(first[camera].pixels, later[camera].pixels)


def test_the_camera_can_be_carried_in_the_plain_look_too() -> None:
    config = TabletopConfig(camera_motion=1.0)
    first, later = (shown(config, index=index) for index in (0, 16))
    assert not np.array_equal(first["front"].pixels, later["front"].pixels)


@pytest.mark.parametrize("seed", range(4))
def test_the_photograph_fills_the_picture(seed: int) -> None:
    config = TabletopConfig(look="photographic", mirror=True)
    for frame in shown(config, seed).values():
        corners = frame.pixels[[0, 0], [0, -1]].astype(int)
        assert (corners.sum(1) > 12).all()  # not the black beyond its edge


def test_the_mirrored_table_is_the_mirror_image() -> None:
    config, seeds = TabletopConfig(), TabletopSeeds.of(0)
    layout = draw_layout(config, seeds.layout)
    masks = []
    for mirrored in (False, True):
        turned = dataclasses.replace(layout, mirrored=mirrored)
        task = TabletopTask(turned, turned.instructions()[0])
        scene = Scene(seeds.scenery, task, layout.bodies, layout.start, mirrored, ARM_COLOR)
        now = scene.world(config.frames_per_second).snapshot()
        renderers = tabletop_renderers(scene, config, seeds)
        masks.append({camera: item.render(now, now, 0).masks for camera, item in renderers.items()})
    for camera in config.cameras:
        flipped = masks[1][camera][:, ::-1]
        assert (masks[0][camera] != flipped).mean() < 0.02


def test_only_the_cameras_asked_for_film() -> None:
    assert list(shown(TabletopConfig(cameras=("side",)))) == ["side"]
