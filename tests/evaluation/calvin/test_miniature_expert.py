import numpy as np
import pytest

from vidrep_pipelines.evaluation.calvin.initial_scene import initial_observations
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureMaker
from vidrep_pipelines.evaluation.calvin.miniature_expert import MiniatureExpert, script_for_task
from vidrep_pipelines.evaluation.calvin.sequences import initial_states
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task
from vidrep_pipelines.evaluation.calvin.world import CalvinEnvironment, tasks_from_initial_states
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import (
    RolloutRules,
    attempt_task,
    roll_out_episodes,
    run_courses,
)
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart
from vidrep_pipelines.evaluation.rollouts.session import PolicySession

RULES = RolloutRules(RolloutConfig(), "settings")


def environment() -> CalvinEnvironment:
    return CalvinEnvironment(MiniatureMaker().make())


def test_every_task_that_can_be_begun_is_done() -> None:
    starts = [
        EpisodeStart(task.name, task.name, task.instruction, seed=number)
        for number, task in enumerate(tasks_from_initial_states())
    ]
    records = roll_out_episodes(starts, environment, MiniatureExpert(), RULES, batch=4)
    assert len(records) == 27
    assert [record.episode for record in records if not record.success] == []


@pytest.mark.parametrize(
    "tasks",
    [
        ("lift_red_block_table", "stack_block", "unstack_block"),
        ("open_drawer", "lift_blue_block_table", "place_in_drawer", "lift_blue_block_drawer"),
        ("lift_pink_block_slider", "place_in_slider", "move_slider_left"),
    ],
)
def test_tasks_follow_one_another_without_a_reset(tasks: tuple[str, ...]) -> None:
    state = {"red_block": "table", "blue_block": "table", "pink_block": "slider_right", "slider": "right"}
    begun = environment()
    begun.place(*initial_observations(initial_states()[0] | state))

    def course():  # type: ignore[no-untyped-def]
        session, records = PolicySession(RULES.config), []
        for name in tasks:
            task = calvin_task(name)
            begun.begin(task)
            start = EpisodeStart(name, name, task.instruction)
            records.append((yield from attempt_task(begun, start, session, RULES)))
        return records

    records = run_courses([course()], MiniatureExpert(), RULES.config)
    assert [record.success for record in records] == [True] * len(tasks)


def test_actions_stay_within_the_environments_range() -> None:
    state = np.concatenate(initial_observations(initial_states()[0]))
    for task in tasks_from_initial_states():
        assert np.abs(script_for_task(task.name, state)).max() <= 1 + 1e-9
