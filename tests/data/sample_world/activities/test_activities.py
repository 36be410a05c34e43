import numpy as np
import pytest

from vidrep_pipelines.data.sample_world.config import ACTIVITY_NAMES, ActivityName
from vidrep_pipelines.data.sample_world.episode import run_episode
from vidrep_pipelines.data.sample_world.policy import ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import Scene, draw_scene


def _last_place(scene: Scene, body: int) -> np.ndarray:
    return run_episode(scene, ScriptedPolicy(), 80, 24).snapshots[-1].places[body]


@pytest.mark.parametrize("activity", ACTIVITY_NAMES)
def test_names_and_objects_fit_together(activity: ActivityName) -> None:
    for seed in range(20):
        scene = draw_scene(activity, seed, 3)
        assert 3 <= len(scene.activity.phases) <= 5
        names = [body.name for body in scene.bodies]
        assert len(set(names)) == len(names)
        if activity != "wave":
            assert scene.activity.bodies[0].name in scene.instruction
        assert scene.arm_color not in {body.color for body in scene.bodies}


def test_push_goes_to_the_side_that_is_said() -> None:
    sides = set()
    for seed in range(8):
        scene = draw_scene("push", seed, 0)
        moved = _last_place(scene, 0)[0] - scene.bodies[0].x
        seen = -moved if scene.mirrored else moved
        side = "right" if seen > 0 else "left"
        sides.add(side)
        assert scene.instruction.endswith(side)
    assert sides == {"left", "right"}


def test_stack_ends_on_top() -> None:
    scene = draw_scene("stack", 4, 0)
    lower = scene.bodies[1]
    x, y, _ = _last_place(scene, 0)
    assert abs(x - lower.x) < lower.half_width
    assert y == pytest.approx(2 * lower.half_height + scene.bodies[0].half_height, abs=0.01)


def test_drop_ends_in_the_bowl() -> None:
    scene = draw_scene("drop", 4, 0)
    assert abs(_last_place(scene, 0)[0] - scene.bodies[1].x) < scene.bodies[1].half_width


def test_pour_empties_the_cup_into_the_bowl() -> None:
    last = run_episode(draw_scene("pour", 4, 0), ScriptedPolicy(), 80, 24).snapshots[-1]
    assert last.fills[0] < 0.1
    assert last.fills[1] > 0.8


def test_strike_sets_the_ball_swinging() -> None:
    run = run_episode(draw_scene("strike", 4, 0), ScriptedPolicy(), 80, 24)
    angles = np.array([snapshot.places[0, 2] for snapshot in run.snapshots])
    assert np.abs(angles[: int((run.phases < 2).sum())]).max() < 0.02
    assert np.abs(angles).max() > 0.2


def test_wave_is_rewarded_while_waving_only() -> None:
    run = run_episode(draw_scene("wave", 4, 0), ScriptedPolicy(), 90, 24)
    assert run.rewards[run.phases == 1].mean() > 0.4
    assert run.rewards[0] == 0
    assert run.rewards[-1] == 0
