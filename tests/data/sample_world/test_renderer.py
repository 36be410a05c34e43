import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.camera import CameraPath
from vidrep_pipelines.data.sample_world.config import (
    ACTIVITY_NAMES,
    ActivityName,
    SampleWorldConfig,
)
from vidrep_pipelines.data.sample_world.episode import render_episode, render_some_frames, run_episode
from vidrep_pipelines.data.sample_world.geometry import rectangle
from vidrep_pipelines.data.sample_world.policy import ScriptedPolicy
from vidrep_pipelines.data.sample_world.renderer import Canvas, RenderedFrame, Renderer
from vidrep_pipelines.data.sample_world.scene import Scene, draw_scene


def _texture(red: int, coverage: int) -> Image.Image:
    share = red * coverage // 255
    return Image.frombytes("RGBa", (4, 4), bytes([share, 0, 0, coverage] * 16))


def _canvas() -> Canvas:
    return Canvas(np.full((12, 16, 3), 100, np.uint8))


def test_pixels_and_labels_are_drawn_to_the_same_place() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 255), rectangle(3, 9, 8, 4), mask=5, part=2)
    expected = np.zeros((12, 16), bool)
    expected[4:9, 3:8] = True
    np.testing.assert_array_equal(canvas.masks == 5, expected)
    np.testing.assert_array_equal(canvas.parts == 2, expected)
    np.testing.assert_array_equal(canvas.pixels[..., 0] == 200, expected)
    assert (canvas.pixels[~expected] == 100).all()


def test_half_coverage_mixes_and_does_not_label_below_half() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 100), rectangle(0, 12, 16, 0), mask=5)
    assert not canvas.masks.any()
    assert abs(int(canvas.pixels[6, 8, 0]) - (200 * 100 + 100 * 155) / 255) <= 1.5


def test_what_has_no_label_hides_what_has_one() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 255), rectangle(0, 12, 16, 0), mask=5, part=1)
    canvas.draw(_texture(90, 255), rectangle(0, 12, 8, 0))
    assert not canvas.masks[:, :8].any()
    assert (canvas.parts[:, 8:] == 1).all()


def test_outside_and_edge_on_draw_nothing() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 255), rectangle(20, 9, 28, 4), mask=5)
    canvas.draw(_texture(200, 255), rectangle(2, 5, 9, 5), mask=5)
    assert not canvas.masks.any()
    assert (canvas.pixels == 100).all()


def test_a_copy_is_independent() -> None:
    canvas = _canvas()
    canvas.copy().draw(_texture(200, 255), rectangle(0, 12, 16, 0), mask=1)
    assert not canvas.masks.any()
    assert (canvas.pixels == 100).all()


CLEAN = SampleWorldConfig(width=160, height=120, shutter=0, sensor_noise=0)
SMALL = SampleWorldConfig(width=64, height=48)


def _render(scene: Scene, config: SampleWorldConfig, hidden: frozenset[int] = frozenset()) -> RenderedFrame:
    snapshot = scene.world(config.frames_per_second).snapshot()
    return Renderer(scene, config).render(snapshot, snapshot, 0, hidden)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hidden", [1, 2])
def test_leaving_something_out_changes_its_mask_and_its_shadow_only(seed: int, hidden: int) -> None:
    scene = draw_scene(ACTIVITY_NAMES[seed], seed, 2)
    shown, without = _render(scene, CLEAN), _render(scene, CLEAN, frozenset({hidden}))
    change = shown.pixels.astype(int) - without.pixels.astype(int)
    mask = shown.masks == hidden
    assert mask.any()
    assert not (without.masks == hidden).any()
    outside = ~binary_dilation(mask, iterations=2)
    # A shadow only darkens; what brightens shines through the blurred rim of a plant in front of it.
    assert (change[outside].max(-1) > 1).mean() < 0.005
    assert change[outside].max() < 60
    inside = binary_erosion(mask)
    assert (np.abs(change[inside]).sum(-1) > 6).mean() > 0.9
    unchanged = outside & (without.masks > 0)
    np.testing.assert_array_equal(shown.masks[unchanged], without.masks[unchanged])


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_lies_where_the_camera_projects_the_object(seed: int) -> None:
    scene = draw_scene("strike", seed, 0)
    frame = _render(scene, CLEAN, frozenset({1}))
    camera = CameraPath(scene.seed, CLEAN.width, CLEAN.height, scene.mirrored).at(0.0)
    body = scene.bodies[0]
    expected = camera.project(np.array([[body.x, body.height, 0.0]]))[0] - 0.5
    rows, columns = np.nonzero(frame.masks == 2)
    np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=0.6)
    radius = body.half_width * camera.focal / 4.0
    assert len(rows) == pytest.approx(np.pi * radius**2, rel=0.25)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(ACTIVITY_NAMES), st.integers(0, 10_000))
def test_labels_agree_with_one_another(activity: ActivityName, seed: int) -> None:
    scene = draw_scene(activity, seed, 2)
    frame = _render(scene, SMALL)
    assert frame.pixels.shape == (48, 64, 3)
    np.testing.assert_array_equal(frame.parts > 0, frame.masks == 1)
    assert frame.parts.max() < len(arm.PART_NAMES)
    assert frame.masks.max() <= 1 + len(scene.bodies)
    assert (frame.masks == 1).sum() > 40
    for x, y, visible in frame.keypoints:
        column, row = round(float(x)), round(float(y))
        if visible:
            assert frame.masks[row, column] == 1


def test_keypoints_lie_on_the_parts_they_are_named_after() -> None:
    on = {"upper_arm_middle": "upper_arm", "forearm_middle": "forearm", "palm": "hand", "base": "base"}
    seen = 0
    for seed in range(5):
        frame = _render(draw_scene("wave", seed, 0), CLEAN)
        for keypoint, part in on.items():
            x, y, visible = frame.keypoints[arm.KEYPOINT_NAMES.index(keypoint)]
            seen += int(visible)
            if visible:
                assert frame.parts[round(float(y)), round(float(x))] == arm.PART_NAMES.index(part)
    assert seen > 12  # the rest is behind plants


def test_motion_blurs_what_moves_and_labels_stay_sharp() -> None:
    scene = draw_scene("wave", 1, 0)
    run = run_episode(scene, ScriptedPolicy(), 60, 24)
    now, before = run.snapshots[30], run.snapshots[29]
    sharp = Renderer(scene, CLEAN).render(now, before, 30)
    blurred = Renderer(scene, CLEAN.model_copy(update={"shutter": 1.0})).render(now, before, 30)
    np.testing.assert_array_equal(sharp.masks, blurred.masks)
    np.testing.assert_array_equal(sharp.keypoints, blurred.keypoints)
    changed = np.abs(sharp.pixels.astype(int) - blurred.pixels.astype(int)).max(-1) > 4
    assert changed.sum() > 20
    assert binary_dilation(sharp.masks == 1, iterations=8)[changed].mean() > 0.95


def test_frames_are_repeatable_and_seeds_differ() -> None:
    run = run_episode(draw_scene("pour", 3, 2), ScriptedPolicy(0.05), 20, 24)
    first, second = ([frame.pixels for frame in render_episode(run, SMALL)] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    alone = render_some_frames(run, SMALL, [7, 0])
    np.testing.assert_array_equal([frame.pixels for frame in alone], [first[7], first[0]])
    other = run_episode(draw_scene("pour", 4, 2), ScriptedPolicy(0.05), 20, 24)
    assert np.abs(next(render_episode(other, SMALL)).pixels.astype(int) - first[0]).mean() > 5


def test_pictures_look_like_video_rather_than_like_flat_shapes() -> None:
    run = run_episode(draw_scene("push", 5, 2), ScriptedPolicy(), 30, 24)
    frames = np.stack([frame.pixels for frame in render_episode(run, SMALL)]).astype(float)
    colors = np.unique(frames[0].reshape(-1, 3), axis=0)
    assert len(colors) > 0.5 * 64 * 48  # texture and noise everywhere
    assert np.abs(np.diff(frames, axis=0)).mean() > 1.0  # and nothing stands still


@pytest.mark.parametrize(("width", "height"), [(48, 48), (32, 64), (128, 72)])
def test_other_shapes_of_picture(width: int, height: int) -> None:
    frame = _render(draw_scene("stack", 0, 1), SampleWorldConfig(width=width, height=height))
    assert frame.masks.shape == (height, width)
    assert set(np.unique(frame.masks)) >= {0, 1, 2, 3}
