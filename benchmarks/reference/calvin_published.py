"""CALVIN's sequences as published: drawn without repetition, states copied deeply, tasks tried first."""

import copy
from typing import Any

import numpy as np

from vidrep_pipelines.evaluation.calvin.sequences import initial_states
from vidrep_pipelines.evaluation.calvin.tasks import CalvinTask, calvin_tasks

Sequence = list[Any]
"""A state and the names of its tasks."""


def published_sequences(count: int) -> list[Sequence]:
    states = initial_states()
    counts = [len(part) for part in np.array_split(np.arange(count), len(states))]
    found = [
        sequence
        for number, (state, own) in enumerate(zip(states, counts, strict=True))
        for sequence in _from_state(state, own, number)
    ]
    np.random.RandomState(0).shuffle(found)
    return found


def _from_state(state: dict[str, Any], count: int, seed: int) -> list[Sequence]:
    draws, tasks = np.random.RandomState(seed), {task.name: task for task in calvin_tasks()}
    names, found = np.array(list(tasks)), list[Sequence]()
    while len(found) < count:
        chosen = [tasks[name] for name in draws.choice(names, 5, replace=False).tolist()]
        if _can_be_done(state, chosen) and len({task.category for task in chosen}) == len(chosen):
            found.append([copy.deepcopy(state), [task.name for task in chosen]])
    return found


def _can_be_done(state: dict[str, Any], tasks: list[CalvinTask]) -> bool:
    now = copy.deepcopy(state)
    for task in tasks:
        fitting = [
            one
            for one in task.alternatives
            if all(now[name] in values for name, values in one.condition.items())
        ]
        if len(fitting) != 1:
            return False
        now = copy.deepcopy(now)
        now.update(fitting[0].effect)
    return True
