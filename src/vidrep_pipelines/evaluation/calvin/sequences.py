"""The benchmark's sequences of five tasks, drawn exactly as it draws them.

Which sequences are drawn depends on NumPy's old generator, call by call. The published way draws five tasks
of 34 without repetition, copies states deeply and tests whether each task applies; one draw in 7000 is kept.
Here the categories are looked at first, for many draws at once, and the five tasks are the head of a shuffled
list of all, which is what that generator's choice without repetition is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.calvin.tasks import CalvinTask, SymbolicState, Value, calvin_tasks

SEQUENCE_LENGTH = 5
_BLOCKS = ("red_block", "blue_block", "pink_block")
_PLACES = ("table", "slider_right", "slider_left")
_SHUFFLE_SEED = 0
_DRAWS_AT_ONCE = 1024


@dataclass(frozen=True)
class TaskSequence:
    """Tasks to be done one after the other.

    Attributes:
        state: What is where at first.
        tasks: Names of the tasks.
    """

    state: Mapping[str, Value]
    tasks: tuple[str, ...]

    def plain(self) -> list[Any]:
        """As the benchmark writes it: ``[state, tasks]``."""
        return [dict(self.state), list(self.tasks)]


def initial_states() -> list[dict[str, Value]]:
    """The 192 states that sequences start from, in the benchmark's order.

    One or two blocks lie on the table, and at most one on either side of the sliding cabinet.
    """
    names = ("led", "lightbulb", "slider", "drawer", *_BLOCKS, "grasped")
    values = product((0, 1), (0, 1), ("right", "left"), ("closed", "open"), _PLACES, _PLACES, _PLACES, (0,))
    states: Iterator[dict[str, Value]] = (dict(zip(names, row, strict=True)) for row in values)
    return [state for state in states if _has_room([state[block] for block in _BLOCKS])]


def _has_room(places: list[Value]) -> bool:
    on_table, right, left = (places.count(place) for place in _PLACES)
    return on_table in (1, 2) and right < 2 and left < 2


def task_sequences(count: int) -> list[TaskSequence]:
    """The benchmark's sequences; its own number is 1000.

    Args:
        count: How many. Another number gives other sequences, not more of the same.

    Raises:
        ConfigurationError: The number is not positive.
    """
    if count < 1:
        raise ConfigurationError(f"The number of sequences is {count}. Remedy: ask for at least 1.")
    states = initial_states()
    share, more = divmod(count, len(states))
    drawn = [
        TaskSequence(state, tasks)
        for number, state in enumerate(states)
        for tasks in _sequences_from(state, number, share + (number < more))
    ]
    np.random.RandomState(_SHUFFLE_SEED).shuffle(drawn)  # type: ignore[arg-type]
    return drawn


def _sequences_from(state: SymbolicState, seed: int, count: int) -> Iterator[tuple[str, ...]]:
    tasks, draws = calvin_tasks(), np.random.RandomState(seed)
    while count:
        for numbers in _draws_of_different_categories(draws):
            chosen = [tasks[number] for number in numbers]
            if count and can_follow(state, chosen):
                count -= 1
                yield tuple(task.name for task in chosen)


def _draws_of_different_categories(draws: np.random.RandomState) -> list[list[int]]:
    """Of the next draws of five tasks those without two of one category, as numbers of tasks.

    A whole permutation is drawn each time: that of fewer tasks would take other numbers from the generator.
    """
    tasks = calvin_tasks()
    orders = np.tile(np.arange(len(tasks)), (_DRAWS_AT_ONCE, 1))
    for order in orders:
        draws.shuffle(order)
    heads = orders[:, :SEQUENCE_LENGTH]
    bits = np.array([1 << task.category for task in tasks])[heads]
    categories = np.bitwise_count(np.bitwise_or.reduce(bits, axis=1))
    different: list[list[int]] = heads[categories == SEQUENCE_LENGTH].tolist()
    return different


def can_follow(state: SymbolicState, tasks: list[CalvinTask]) -> bool:
    """Whether each task can be done, in exactly one way, in the state that those before it leave."""
    for task in tasks:
        after = task.applied(state)
        if after is None:
            return False
        state = after
    return True
