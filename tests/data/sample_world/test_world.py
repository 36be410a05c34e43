import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.config import ACTIVITY_NAMES, ActivityName
from vidrep_pipelines.data.sample_world.policy import RandomPolicy
from vidrep_pipelines.data.sample_world.scene import draw_scene
from vidrep_pipelines.data.sample_world.world import World

HOME = arm.inverse(arm.HandPose(-0.2, 0.8, -0.9, 0.3))
STILL = np.zeros(4, np.float32)


def _box(x: float) -> Body:
    return Body("box", "red", 0.12, 0.12, x)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(ACTIVITY_NAMES), st.integers(0, 10_000))
def test_chance_breaks_nothing(activity: ActivityName, seed: int) -> None:
    scene = draw_scene(activity, seed, 1)
    world, policy = scene.world(24), RandomPolicy(0.8)
    policy.start(scene.activity, 50, seed)
    for _ in range(50):
        before = world.joints.copy()
        executed = world.step(policy.act(world)[0])
        moved = np.clip(before + executed * world.joint_step, arm.LOWEST, arm.HIGHEST)
        np.testing.assert_array_equal(world.joints, moved)
        assert np.isfinite(world.places).all() and np.isfinite(world.drops).all()
        assert 0 <= scene.activity.reward(world) <= 1
        assert world.pose.wrist[1] > 0.05
        for body, (_, y, _) in zip(world.bodies, world.places, strict=True):
            assert y > 0.9 * body.half_height


def test_distractors_stay_where_they_are() -> None:
    scene = draw_scene("push", 3, 2)
    world = scene.world(24)
    start = world.places.copy()
    for _ in range(30):
        world.step(np.array([-1, 0.4, 0, -1], np.float32))
    np.testing.assert_array_equal(world.places[1:], start[1:])


def test_nothing_moves_without_action() -> None:
    world = World([_box(0.3), Body("ball", "blue", 0.1, 0.1, 0.7)], HOME, 24)
    start = world.places.copy()
    for _ in range(20):
        np.testing.assert_array_equal(world.step(STILL), STILL)
    np.testing.assert_allclose(world.places, start, atol=1e-9)
    np.testing.assert_array_equal(world.joints, HOME)


def test_what_is_let_go_falls_on_the_table() -> None:
    world = World([_box(0.3)], HOME, 24)
    world.motion.places[0, 1] = 0.9
    heights = []
    for _ in range(40):
        world.step(STILL)
        heights.append(float(world.places[0, 1]))
    assert heights[0] < 0.9
    assert heights[-1] == pytest.approx(0.12, abs=1e-3)


def test_a_box_rests_on_a_box() -> None:
    world = World([_box(0.3), Body("box", "blue", 0.12, 0.1, 0.31)], HOME, 24)
    world.motion.places[0, 1] = 0.6
    for _ in range(60):
        world.step(STILL)
    assert world.places[0, 1] == pytest.approx(0.2 + 0.12, abs=1e-3)


def test_a_pendulum_swings_about_its_string_and_calms_down() -> None:
    world = World([Body("ball", "red", 0.1, 0.1, 0.9, string=1.4, height=0.8)], HOME, 24)
    world.motion.places[0, 2] = 0.4
    energies = []
    for _ in range(100):
        world.step(STILL)
        x, y, _ = world.places[0]
        assert np.hypot(x - 0.9, y - (0.8 + 1.4)) == pytest.approx(1.4, abs=1e-9)
        energies.append(world.motion.swing_energy(0))
    assert energies[-1] < 0.7 * energies[0]


def test_a_tilted_cup_pours_all_it_holds_and_no_more() -> None:
    cup = Body("cup", "red", 0.1, 0.15, 0.2, filled=True)
    bowl = Body("bowl", "blue", 0.25, 0.12, 0.45)
    world = World([cup, bowl], HOME, 24)
    for _ in range(60):
        world.motion.places[0] = (0.3, 0.6, -2.0)  # as if a hand held it there
        world.step(STILL)
    assert world.fills[0] == pytest.approx(0, abs=1e-9)
    assert 0.9 < world.poured <= 1
    assert len(world.drops) == 0


@pytest.mark.parametrize("action", [np.zeros(3), np.array([0, np.nan, 0, 0]), np.zeros((1, 4))])
def test_bad_actions_are_refused(action: np.ndarray) -> None:
    with pytest.raises(InputError, match="four finite numbers"):
        World([], HOME, 24).step(action)


def test_actions_beyond_one_are_clipped() -> None:
    world = World([], HOME, 24)
    assert world.step(np.array([9.0, 0, 0, 0]))[0] == 1.0
