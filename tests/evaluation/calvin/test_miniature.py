from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.calvin.initial_scene import initial_observations
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureMaker, MiniatureWorld
from vidrep_pipelines.evaluation.calvin.miniature_objects import BUTTON, handle_position
from vidrep_pipelines.evaluation.calvin.sequences import initial_states

STATE = initial_states()[0]
OPEN, CLOSED = 1.0, -1.0


def world(state=STATE) -> MiniatureWorld:
    made = MiniatureMaker().make()
    made.reset(*initial_observations(state))
    return made


def put_hand(made: MiniatureWorld, place) -> None:
    robot = made.robot_obs()
    robot[:3] = place
    made.reset(robot, made.scene_obs())


def act(made: MiniatureWorld, way=(0, 0, 0), gripper=OPEN, turn=0.0, times=1) -> None:
    for _ in range(times):
        made.step(np.array([*way, 0, 0, turn, gripper], np.float64))


def test_observations_are_laid_out_as_calvins() -> None:
    made = MiniatureMaker(MiniatureConfig(static_size=24, gripper_size=12)).make()
    made.reset(*initial_observations(STATE))
    seen = made.get_obs(pictures=True)
    assert seen["rgb_static"].shape == (24, 24, 3) and seen["rgb_gripper"].shape == (12, 12, 3)
    assert seen["rgb_static"].dtype == np.uint8 and np.ptp(seen["rgb_static"]) > 0
    assert (seen["robot_obs"].shape, seen["scene_obs"].shape) == ((15,), (24,))
    assert set(made.get_obs(pictures=False)) == {"robot_obs", "scene_obs"} and made.renderings == 1


@given(st.sampled_from(initial_states()))
@settings(max_examples=20)
def test_a_reset_puts_everything_where_it_is_said(state) -> None:
    robot, scene = initial_observations(state)
    seen = world(state).get_obs(pictures=False)
    np.testing.assert_array_equal(seen["robot_obs"], robot)
    np.testing.assert_allclose(seen["scene_obs"], scene, atol=1e-8)


def test_actions_are_relative_and_scaled() -> None:
    made = world()
    before = made.robot_obs()
    act(made, (1, -0.5, 5), turn=0.5)
    moved = made.robot_obs() - before
    np.testing.assert_allclose(moved[:6], [0.02, -0.01, 0.02, 0, 0, 0.025], atol=1e-12)


def test_pictures_show_what_changes() -> None:
    made = world()
    pictures = [made.get_obs(pictures=True)["rgb_static"]]
    for change in ("slider", "drawer"):
        made.joints[change] = 0.2
        pictures.append(made.get_obs(pictures=True)["rgb_static"])
    made.lights["led"] = 1
    pictures.append(made.get_obs(pictures=True)["rgb_static"])
    assert all((one != other).any() for one, other in pairwise(pictures))


def test_a_block_is_taken_carried_and_dropped() -> None:
    made = world()
    red = made.blocks[0]
    put_hand(made, red.position)
    red = made.blocks[0]
    act(made, gripper=CLOSED)
    act(made, (0, 0, 1), CLOSED, turn=1.0, times=4)
    assert red.position[2] == pytest.approx(0.54, abs=1e-3)
    assert made.robot_obs()[6] == pytest.approx(0.05)
    act(made, gripper=OPEN)
    assert red.position[2] == pytest.approx(0.46, abs=1e-3) and made.held is None
    assert made.robot_obs()[6] == pytest.approx(0.08)


def test_a_hand_that_is_closed_already_takes_nothing() -> None:
    made = world()
    act(made, gripper=CLOSED)
    before = made.scene_obs()
    put_hand(made, before[6:9])
    robot = made.robot_obs()
    robot[14] = CLOSED
    made.reset(robot, before)
    act(made, (0, 0, 1), CLOSED, times=3)
    np.testing.assert_array_equal(made.scene_obs(), before)


@pytest.mark.parametrize(
    ("joint", "way", "limit"), [("slider", (-1, 0, 0), 0.28), ("switch", (0, 0, 1), 0.088)]
)
def test_handles_move_their_joints_to_the_end(joint: str, way, limit: float) -> None:
    made = world()
    put_hand(made, handle_position(joint, 0.0))
    act(made, gripper=CLOSED)
    act(made, way, CLOSED, times=20)
    assert made.joints[joint] == pytest.approx(limit)
    assert made.lights["lightbulb"] == (joint == "switch")
    np.testing.assert_allclose(made.hand, handle_position(joint, limit))


def test_a_drawer_takes_along_what_lies_in_it() -> None:
    made = world(initial_states()[0] | {"drawer": "open"})
    scene = made.scene_obs()
    scene[6:9] = 0.18, -0.25, 0.36
    made.reset(made.robot_obs(), scene)
    put_hand(made, handle_position("drawer", made.joints["drawer"]))
    act(made, gripper=CLOSED)
    act(made, (0, 1, 0), CLOSED, times=20)
    assert made.joints["drawer"] == 0
    assert made.blocks[0].position[1] == pytest.approx(-0.03)


def test_the_button_switches_once_each_time_it_is_pressed() -> None:
    made = world()
    put_hand(made, BUTTON + np.array([0, 0, 0.08]))
    for expected in (1, 0):
        act(made, (0, 0, -1), times=4)
        act(made)
        assert made.lights["led"] == expected
        act(made, (0, 0, 1), times=4)


def test_the_identity_tells_pictures_apart() -> None:
    small = MiniatureMaker(MiniatureConfig(static_size=16))
    assert small.identity != MiniatureMaker().identity
    assert small.renderer == small.make().renderer == "miniature"
