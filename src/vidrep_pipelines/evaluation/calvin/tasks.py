"""The benchmark's 34 tasks: when they can be done, what they change, and how they are told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.suggestions import did_you_mean

Value = str | int
SymbolicState = Mapping[str, Value]
"""What is where, in words: led, lightbulb, slider, drawer, red_block, blue_block, pink_block, grasped."""


@dataclass(frozen=True)
class TaskAlternative:
    """One situation in which a task can be done.

    Attributes:
        condition: By the name of a thing, all values with which the task can be done.
        effect: What is otherwise once it is done.
    """

    condition: Mapping[str, tuple[Value, ...]]
    effect: Mapping[str, Value]

    def holds(self, state: SymbolicState) -> bool:
        """Whether the task can be done in this way."""
        return all(state[name] in values for name, values in self.condition.items())


@dataclass(frozen=True)
class CalvinTask:
    """A task of CALVIN (Mees et al. 2022, arXiv 2112.03227).

    Attributes:
        name: The benchmark's, such as ``move_slider_left``.
        category: Tasks of one category (of eleven) never stand in one sequence.
        instruction: What the policy is told: the first of the benchmark's validation sentences.
        success: Which test of success, and its arguments.
        alternatives: Situations in which it can be done.
    """

    name: str
    category: int
    instruction: str
    success: tuple[Any, ...]
    alternatives: tuple[TaskAlternative, ...]

    def applied(self, state: SymbolicState) -> dict[str, Value] | None:
        """The state after the task; None where it cannot be done, or in more than one way."""
        fitting = [one for one in self.alternatives if one.holds(state)]
        return {**state, **fitting[0].effect} if len(fitting) == 1 else None


@cache
def calvin_tasks() -> tuple[CalvinTask, ...]:
    """All tasks in the benchmark's order, on which its sequences depend."""
    text = resources.files(__package__).joinpath("tasks.json").read_text(encoding="utf-8")
    return tuple(_task(row) for row in json.loads(text)["tasks"])


def calvin_task(name: str) -> CalvinTask:
    """A task by its name.

    Raises:
        ConfigurationError: There is no such task.
    """
    by_name = {task.name: task for task in calvin_tasks()}
    if name not in by_name:
        raise ConfigurationError(f"CALVIN has no task {name!r}.{did_you_mean(name, list(by_name))}")
    return by_name[name]


def _task(row: Mapping[str, Any]) -> CalvinTask:
    success = row["success"]
    alternatives = tuple(
        TaskAlternative({name: _values(value) for name, value in one["condition"].items()}, one["effect"])
        for one in row["alternatives"]
    )
    kind = (success["kind"], *success["arguments"])
    return CalvinTask(row["name"], row["category"], row["instruction"], kind, alternatives)


def _values(value: Value | list[Value]) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, list) else (value,)
