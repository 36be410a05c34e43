import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.calvin.sequences import initial_states
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task, calvin_tasks

STATE = initial_states()[0] | {"red_block": "table", "blue_block": "table", "pink_block": "slider_left"}


def test_there_are_34_tasks_in_11_categories() -> None:
    tasks = calvin_tasks()
    assert len({task.name for task in tasks}) == len({task.instruction for task in tasks}) == 34
    assert {task.category for task in tasks} == set(range(1, 12))
    assert (tasks[0].name, tasks[-1].name) == ("rotate_red_block_right", "push_into_drawer")


def test_conditions_and_effects_speak_of_the_states_things() -> None:
    names = set(STATE)
    for task in calvin_tasks():
        for one in task.alternatives:
            assert set(one.condition) <= names and set(one.effect) <= names


def test_a_task_changes_the_state_where_it_can_be_done() -> None:
    after = calvin_task("lift_red_block_table").applied(STATE)
    assert after == {**STATE, "red_block": "grasped", "grasped": 1}
    assert calvin_task("lift_red_block_table").applied(after) is None
    assert calvin_task("stack_block").applied(STATE) is None


def test_a_task_that_can_be_done_in_two_ways_cannot_be_asked_for() -> None:
    held = {**STATE, "red_block": "grasped", "pink_block": "table", "grasped": 1}
    assert sum(one.holds(held) for one in calvin_task("stack_block").alternatives) == 2
    assert calvin_task("stack_block").applied(held) is None
    assert calvin_task("stack_block").applied({**held, "pink_block": "slider_left"}) is not None


def test_a_condition_may_allow_several_values() -> None:
    state = {**STATE, "blue_block": "slider_right", "drawer": "open"}
    after = calvin_task("push_into_drawer").applied(state)
    assert after is not None and after["red_block"] == "drawer"
    assert calvin_task("push_into_drawer").applied({**state, "blue_block": "table"}) is None


def test_an_unknown_task_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"no task 'open_drawers'.*open_drawer"):
        calvin_task("open_drawers")
