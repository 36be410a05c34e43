from collections import Counter

import numpy as np
import pytest

from vidrep_pipelines.data.sample_world.episode import ArmEpisode, run_episode
from vidrep_pipelines.data.sample_world.instructions import TASKS, Instruction
from vidrep_pipelines.data.sample_world.policy import Policy, RandomPolicy, ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.tabletop import Layout, TabletopConfig, draw_layout
from vidrep_pipelines.data.sample_world.tabletop_expert import TabletopTask

CONFIG = TabletopConfig(objects_max=4, mirror=True)


def done(layout: Layout, instruction: Instruction, policy: Policy | None = None) -> ArmEpisode:
    return run_task(TabletopTask(layout, instruction), policy)


def run_task(task: TabletopTask, policy: Policy | None = None) -> ArmEpisode:
    layout = task.layout
    scene = Scene(0, task, layout.bodies, layout.start, layout.mirrored, "white")
    policy = policy or ScriptedPolicy(CONFIG.policy_noise, CONFIG.pace_spread)
    return run_episode(scene, policy, CONFIG.frames, CONFIG.frames_per_second)


def test_the_expert_does_what_it_is_told() -> None:
    outcomes = [
        (instruction.task, TabletopTask(layout, instruction).succeeded(done(layout, instruction).snapshots))
        for layout in (draw_layout(CONFIG, seed) for seed in range(14))
        for instruction in layout.instructions()
    ]
    successes, tries = Counter(task for task, success in outcomes if success), Counter(t for t, _ in outcomes)
    assert len(tries) == len(TASKS) and len(outcomes) > 200
    assert {
        task: successes[task] / count for task, count in tries.items() if successes[task] < 0.98 * count
    } == {}


def test_an_expert_that_aims_beside_corrects_itself() -> None:
    layouts = [draw_layout(TabletopConfig(objects_max=2), seed) for seed in range(8)]
    tasks = [(layout, order) for layout in layouts for order in layout.instructions()]
    for number, (layout, order) in enumerate(tasks):
        aside = TabletopTask(layout, order, aim=0.15 * (-1) ** number)
        exact, run = done(layout, order), run_task(aside)
        assert aside.succeeded(run.snapshots), order.text
        assert float(np.abs(run.states - exact.states).max()) > 0.05  # the hand takes another way


@pytest.mark.parametrize("seed", [0, 5])
def test_only_what_was_asked_for_counts(seed: int) -> None:
    layout = draw_layout(CONFIG, seed)
    instructions = layout.instructions()
    runs = [done(layout, instruction).snapshots for instruction in instructions]
    judged = [[TabletopTask(layout, order).succeeded(run) for order in instructions] for run in runs]
    np.testing.assert_array_equal(judged, np.eye(len(instructions), dtype=bool))


def test_chance_does_nothing_of_it() -> None:
    layout = draw_layout(CONFIG, 1)
    for instruction in layout.instructions()[:6]:
        run = done(layout, instruction, RandomPolicy())
        assert not TabletopTask(layout, instruction).succeeded(run.snapshots)


def test_sides_are_those_of_the_viewer() -> None:
    layouts = [draw_layout(CONFIG, seed) for seed in range(20)]
    for mirrored in (False, True):
        layout = next(item for item in layouts if item.mirrored is mirrored)
        body = layout.bodies[0]
        task = TabletopTask(layout, Instruction("push", body.color, body.shape, "left"))
        assert bool(task.goal[0] > body.x) is mirrored


def test_rewards_rise_to_the_end() -> None:
    layout = draw_layout(CONFIG, 2)
    for instruction in layout.instructions():
        rewards = done(layout, instruction).rewards
        assert rewards[0] < 0.3 and rewards[-1] > 0.5


def test_other_objects_stand_still() -> None:
    layout = draw_layout(CONFIG, 3)
    for instruction in layout.instructions():
        run = done(layout, instruction)
        moved = np.abs(run.snapshots[-1].places[:, :2] - run.snapshots[0].places[:, :2]).max(1)
        target = TabletopTask(layout, instruction).target
        assert moved.argmax() == target and moved[target] > 0.05
