from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureWorld
from vidrep_pipelines.evaluation.calvin.oracle import BlockSnapshot, SceneSnapshot, is_done, tasks_done
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task, calvin_tasks

BASE, PLANK, DRAWER = (("table", f"{part}_link") for part in ("base", "plank", "drawer"))
ROBOT, BLUE = ("robot", ""), ("block_blue", "")
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
BLOCK = BlockSnapshot(np.zeros(3), UPRIGHT, 0.0, frozenset({BASE}))
SCENE = SceneSnapshot(
    dict.fromkeys(("block_red", "block_blue", "block_pink"), BLOCK),
    {"base__slide": 0.1, "base__drawer": 0.1},
    {"lightbulb": 0, "led": 1},
)


def with_red(**changes: Any) -> SceneSnapshot:
    red = replace(BLOCK, **changes)
    return replace(SCENE, blocks={**SCENE.blocks, "block_red": red})


def touching(*touches: tuple[str, str], **changes: Any) -> SceneSnapshot:
    return with_red(touches=frozenset(touches), **changes)


def done(task: str, start: SceneSnapshot, now: SceneSnapshot) -> bool:
    return is_done(calvin_task(task), start, now)


def turned(z: float, x: float = 0.0) -> np.ndarray:
    return Rotation.from_euler("xyz", [x, 0, z], degrees=True).as_quat()


def test_nothing_is_done_where_nothing_happened() -> None:
    assert [task.name for task in calvin_tasks() if is_done(task, SCENE, SCENE)] == []


@given(st.floats(-175, 175), st.floats(-25, 25), st.floats(-180, 180))
def test_blocks_are_turned_by_more_than_sixty_degrees(degrees: float, tilt: float, before: float) -> None:
    start = with_red(orientation=turned(before))
    end = Rotation.from_euler("xyz", [tilt, 0, degrees], degrees=True) * Rotation.from_quat(turned(before))
    now = with_red(orientation=end.as_quat())
    if abs(abs(degrees) - 60) > 1e-6:
        assert done("rotate_red_block_left", start, now) == (degrees > 60)
        assert done("rotate_red_block_right", start, now) == (degrees < -60)


@pytest.mark.parametrize(
    "changes",
    [
        {"orientation": turned(70, x=35)},
        {"orientation": turned(70), "position": np.array([0.11, 0, 0])},
        {"orientation": turned(70), "touches": frozenset({ROBOT})},
        {"orientation": turned(70), "touches": frozenset()},
    ],
)
def test_a_turned_block_lies_where_it_lay(changes: Mapping[str, Any]) -> None:
    assert done("rotate_red_block_left", SCENE, with_red(orientation=turned(70)))
    assert not done("rotate_red_block_left", SCENE, with_red(**changes))


@given(st.floats(-0.4, 0.4))
def test_blocks_are_pushed_by_more_than_ten_centimeters(x: float) -> None:
    now = with_red(position=np.array([x, 0.3, 0]))
    assert done("push_red_block_right", SCENE, now) == (x > 0.1)
    assert done("push_red_block_left", SCENE, now) == (x < -0.1)
    assert not done("push_blue_block_right", SCENE, now)


def test_a_pushed_block_lies_on_something() -> None:
    far = np.array([0.2, 0, 0])
    assert done("push_red_block_right", SCENE, touching(BASE, ROBOT, position=far))
    assert not done("push_red_block_right", SCENE, touching(ROBOT, position=far))
    assert not done("push_red_block_right", touching(ROBOT), with_red(position=far))


@given(st.floats(-0.2, 0.2))
def test_doors_go_far_enough_from_where_they_were(way: float) -> None:
    doors = dict.fromkeys(SCENE.doors, 0.1 + way)
    now, moved = replace(SCENE, doors=doors), doors["base__slide"] - 0.1
    assert done("move_slider_left", SCENE, now) == (moved > 0.15)
    assert done("move_slider_right", SCENE, now) == (moved < -0.15)
    assert done("open_drawer", SCENE, now) == (moved > 0.12)
    assert done("close_drawer", SCENE, now) == (moved < -0.12)


def test_lights_change() -> None:
    now = replace(SCENE, lights={"lightbulb": 1, "led": 0})
    assert done("turn_on_lightbulb", SCENE, now) and done("turn_off_led", SCENE, now)
    assert not done("turn_off_lightbulb", SCENE, now) and not done("turn_off_led", now, SCENE)
    assert not done("turn_on_lightbulb", now, now)


def test_a_lifted_block_is_held_by_the_robot_alone() -> None:
    def at(height: float, *touches: tuple[str, str]) -> SceneSnapshot:
        return touching(*touches, position=np.array([0, 0, height]))

    assert done("lift_red_block_table", SCENE, at(0.06, ROBOT))
    assert not done("lift_red_block_table", SCENE, at(0.05, ROBOT))
    assert not done("lift_red_block_table", SCENE, at(0.06, ROBOT, BLUE))
    assert not done("lift_red_block_table", SCENE, at(0.06))
    assert not done("lift_red_block_slider", SCENE, at(0.06, ROBOT))
    assert done("lift_red_block_slider", touching(PLANK), at(0.04, ROBOT))
    assert done("lift_red_block_drawer", touching(DRAWER, ROBOT), at(0.06, ROBOT))
    assert not done("lift_red_block_drawer", touching(DRAWER), at(0.04, ROBOT))


def test_a_placed_block_was_held_and_is_let_go() -> None:
    assert done("place_in_slider", touching(ROBOT), touching(PLANK))
    assert done("place_in_drawer", touching(ROBOT), touching(DRAWER))
    assert not done("place_in_drawer", touching(ROBOT), touching(PLANK))
    assert not done("place_in_slider", touching(ROBOT), touching(PLANK, ROBOT))
    assert not done("place_in_slider", SCENE, touching(PLANK))


def test_blocks_are_stacked_and_unstacked() -> None:
    assert done("stack_block", touching(ROBOT), touching(BLUE))
    assert not done("stack_block", touching(ROBOT), touching(BLUE, speed=1.5))
    assert not done("stack_block", touching(ROBOT), touching(BLUE, BASE))
    assert not done("stack_block", touching(BLUE), touching(BLUE))
    assert done("unstack_block", touching(BLUE), touching(BASE))
    assert not done("unstack_block", touching(BLUE), touching(ROBOT))
    assert not done("unstack_block", touching(BLUE), touching(BASE, speed=1.5))
    assert not done("unstack_block", touching(BLUE, BASE), touching(BASE))


def test_a_block_falls_into_the_drawer_untouched() -> None:
    assert done("push_into_drawer", SCENE, touching(DRAWER))
    assert not done("push_into_drawer", SCENE, touching(DRAWER, ROBOT))
    assert not done("push_into_drawer", touching(BASE, ROBOT), touching(DRAWER))
    assert not done("push_into_drawer", touching(PLANK), touching(DRAWER))


def test_info_is_read_as_calvin_lays_it_out() -> None:
    world = MiniatureWorld(MiniatureConfig())
    info = world.get_info()
    info["scene_info"]["movable_objects"]["block_red"] |= {
        "contacts": [(0, 2, 1, -1, 3), (0, 2, 0, -1, 5), (0, 2, 77, -1, -1)],
        "current_lin_vel": (3.0, 0.0, 4.0),
    }
    snapshot = SceneSnapshot.of(info)
    assert snapshot.blocks["block_red"].touches == {PLANK, ROBOT, ("77", "")}
    assert snapshot.blocks["block_red"].speed == 5
    assert tasks_done(calvin_tasks(), info, info) == set()


def test_another_info_is_refused() -> None:
    info = dict(MiniatureWorld(MiniatureConfig()).get_info())
    with pytest.raises(InputError, match=r"not laid out as CALVIN's \(KeyError: 'scene_info'"):
        SceneSnapshot.of({"robot_info": info["robot_info"]})
