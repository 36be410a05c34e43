import numpy as np
import pytest
from benchmarks.reference.calvin_published import published_sequences
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.calvin.sequences import can_follow, initial_states, task_sequences
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task, calvin_tasks


@pytest.fixture(scope="module")
def found():
    return task_sequences(3)


def test_there_are_192_initial_states_that_differ() -> None:
    states = initial_states()
    assert len(states) == len({tuple(state.values()) for state in states}) == 192
    assert states[0] == {
        "led": 0, "lightbulb": 0, "slider": "right", "drawer": "closed", "red_block": "table",
        "blue_block": "table", "pink_block": "slider_right", "grasped": 0,
    }  # fmt: skip
    assert states[-1]["led"] == 1 and states[-1]["drawer"] == "open"


def test_sequences_are_those_of_the_published_way(found) -> None:
    assert [sequence.plain() for sequence in found] == published_sequences(3)


def test_every_sequence_can_be_done_and_repeats_no_category(found) -> None:
    for sequence in found:
        tasks = [calvin_task(name) for name in sequence.tasks]
        assert len(tasks) == len({task.category for task in tasks}) == 5
        assert can_follow(sequence.state, tasks)
        assert sequence.state in initial_states()


@given(st.integers(0, 2**32 - 1))
def test_the_head_of_a_shuffled_list_is_a_choice_without_repetition(seed: int) -> None:
    ours, published = np.random.RandomState(seed), np.random.RandomState(seed)
    for _ in range(3):
        order = np.arange(34)
        ours.shuffle(order)
        assert order[:5].tolist() == published.choice(34, 5, replace=False).tolist()


@given(st.sampled_from(initial_states()), st.lists(st.sampled_from(calvin_tasks()), max_size=4), st.data())
def test_what_follows_depends_on_what_was_done(state, tasks, data) -> None:
    if can_follow(state, tasks):
        assert all(can_follow(state, tasks[:length]) for length in range(len(tasks)))
        task = data.draw(st.sampled_from(calvin_tasks()))
        now = state
        for one in tasks:
            now = one.applied(now)
        assert can_follow(state, [*tasks, task]) == (task.applied(now) is not None)


def test_no_sequences_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        task_sequences(0)
