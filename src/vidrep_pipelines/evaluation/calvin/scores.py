"""What is reported of an evaluation on CALVIN: chains, average length, tasks; each with its interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import (
    Interval,
    confidence_interval,
    mean_over_members,
    wilson_interval,
)
from vidrep_pipelines.evaluation.calvin.config import CalvinEvaluationConfig
from vidrep_pipelines.evaluation.calvin.sequences import SEQUENCE_LENGTH
from vidrep_pipelines.evaluation.calvin.tasks import calvin_tasks
from vidrep_pipelines.evaluation.rollouts.tables import success_table


def sequence_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per sequence.

    Args:
        rows: One per attempt; see :func:`~vidrep_pipelines.evaluation.calvin.evaluation_job.evaluate_block`.

    Returns:
        Columns sequence, tasks, completed (consecutive successes, 0..5), failed_task (empty if none), steps
        and plans over all attempts, renderer, settings.
    """
    groups = rows.sort_values(["sequence", "place"]).groupby("sequence", sort=True)
    return pd.DataFrame([_sequence_row(own) for _, own in groups])


def _sequence_row(attempts: pd.DataFrame) -> dict[str, Any]:
    last, successes = attempts.iloc[-1], int(attempts["success"].sum())
    return {
        "sequence": int(last["sequence"]),
        "tasks": last["tasks"],
        "completed": successes,
        "failed_task": "" if last["success"] else last["task"],
        "steps": int(attempts["steps"].sum()),
        "plans": int(attempts["plans"].sum()),
        "renderer": last["renderer"],
        "settings": last["settings"],
    }


def chain_table(sequences: pd.DataFrame, config: CalvinEvaluationConfig) -> pd.DataFrame:
    """Shares of sequences in which at least k = 1..5 tasks were done in a row, with Wilson's intervals.

    Returns:
        Columns tasks_in_a_row, success, low, high, sequences.
    """
    count = len(sequences)
    found = []
    for length in range(1, SEQUENCE_LENGTH + 1):
        share = float((sequences["completed"] >= length).mean())
        low, high = wilson_interval(share, count, config.confidence)
        row = {"tasks_in_a_row": length, "success": share, "low": low, "high": high, "sequences": count}
        found.append(row)
    return pd.DataFrame(found)


def average_length(sequences: pd.DataFrame, config: CalvinEvaluationConfig) -> Interval:
    """Mean number of consecutive successes, 0..5, with its bootstrap interval over sequences."""
    return _mean(sequences["completed"].to_numpy(np.float64), config)


def task_table(rows: pd.DataFrame, config: CalvinEvaluationConfig) -> pd.DataFrame:
    """Success of every attempted task, in the benchmark's order; see :func:`success_table`.

    A task late in sequences is attempted only where those before it succeeded.
    """
    order = {task.name: place for place, task in enumerate(calvin_tasks())}
    table = success_table(rows, ("task",), config.confidence)
    return table.sort_values("task", key=lambda names: names.map(order), ignore_index=True)


def compare_lengths(
    first: pd.DataFrame, second: pd.DataFrame, config: CalvinEvaluationConfig
) -> dict[str, float]:
    """Average length of the second run less that of the first, sequence by sequence.

    Args:
        first: Sequences of a run; see :func:`sequence_table`.
        second: The same sequences of another run.
        config: Says how intervals are made.

    Returns:
        ``first``, ``second``, ``difference`` with ``low`` and ``high``, ``sequences``; ``first_longer`` and
        ``second_longer``: sequences in which one run got farther.

    Raises:
        InputError: These are not the same sequences, or other renderers made the pictures.
    """
    keys = ["sequence", "tasks", "renderer"]
    both = first[[*keys, "completed"]].merge(second[[*keys, "completed"]], on=keys, suffixes=("_1", "_2"))
    if not len(first) == len(second) == len(both):
        raise InputError(
            f"Of {len(first)} and {len(second)} sequences only {len(both)} have the same number, tasks and "
            "renderer. Remedy: compare runs of as many sequences, with one renderer."
        )
    one, other = (both[f"completed_{side}"].to_numpy(np.float64) for side in (1, 2))
    found = _mean(other - one, config)
    return {
        "first": float(one.mean()),
        "second": float(other.mean()),
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "sequences": len(both),
        "first_longer": int((one > other).sum()),
        "second_longer": int((other > one).sum()),
    }


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]], config: CalvinEvaluationConfig) -> Interval:
    statistic = mean_over_members([np.array([value]) for value in values])
    return confidence_interval(statistic, len(values), config.confidence, config.resamples)


def calvin_numbers(rows: pd.DataFrame, config: CalvinEvaluationConfig) -> dict[str, float]:
    """The headline: ``average_length``, ``success_1`` to ``success_5``, each with ``_low`` and ``_high``."""
    sequences = sequence_table(rows)
    length = average_length(sequences, config)
    numbers = {"average_length": length.value, "average_length_low": length.low}
    numbers["average_length_high"] = length.high
    for row in chain_table(sequences, config).to_dict("records"):
        name = f"success_{row['tasks_in_a_row']}"
        numbers |= {name: row["success"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return numbers


@dataclass(frozen=True, eq=False)
class CalvinScores:
    """What is reported of a run, in which several policies attempt the same sequences.

    Attributes:
        sequences: :func:`sequence_table` of each policy.
        chains: :func:`chain_table` of each policy.
        lengths: One row per policy: average_length, low, high and sequences; then, for all but the first, how
            much longer the first is on the sequences that both attempted: difference, difference_low,
            difference_high and shared.
        tasks: :func:`task_table` of each policy.
    """

    sequences: pd.DataFrame
    chains: pd.DataFrame
    lengths: pd.DataFrame
    tasks: pd.DataFrame


def score_run(rows: pd.DataFrame, config: CalvinEvaluationConfig) -> CalvinScores:
    """All tables of a run, with the column ``policy`` in front.

    Args:
        rows: One per attempt, with the column ``policy``; the first policy is the one that is compared.
        config: Says how intervals are made.
    """
    own = {str(policy): group for policy, group in rows.groupby("policy", sort=False)}
    sequences = {policy: sequence_table(group) for policy, group in own.items()}
    return CalvinScores(
        sequences=_joined(sequences),
        chains=_joined({policy: chain_table(table, config) for policy, table in sequences.items()}),
        lengths=_length_table(sequences, config),
        tasks=_joined({policy: task_table(group, config) for policy, group in own.items()}),
    )


def _joined(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [table.assign(policy=policy) for policy, table in tables.items()]
    joined = pd.concat(parts, ignore_index=True)
    return joined[["policy", *joined.columns.drop("policy")]]


def _length_table(sequences: dict[str, pd.DataFrame], config: CalvinEvaluationConfig) -> pd.DataFrame:
    first, *_ = sequences.values()
    rows = []
    for policy, table in sequences.items():
        length = average_length(table, config)
        row = {"policy": policy, "average_length": length.value, "low": length.low, "high": length.high}
        row |= {"sequences": len(table), **dict.fromkeys(_DIFFERENCE, np.nan)}
        if table is not first:
            row |= dict(zip(_DIFFERENCE, _lead(table, first, config), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


_DIFFERENCE = ("difference", "difference_low", "difference_high", "shared")


def _lead(other: pd.DataFrame, first: pd.DataFrame, config: CalvinEvaluationConfig) -> tuple[float, ...]:
    """How much farther the first policy gets on sequences that both attempted."""
    shared = set(first["sequence"]) & set(other["sequence"])
    own, least = (table[table["sequence"].isin(shared)] for table in (first, other))
    found = compare_lengths(least, own, config)
    return found["difference"], found["low"], found["high"], found["sequences"]


def numbers_of_run(rows: pd.DataFrame, config: CalvinEvaluationConfig) -> dict[str, dict[str, float]]:
    """:func:`calvin_numbers` of each policy."""
    return {str(policy): calvin_numbers(own, config) for policy, own in rows.groupby("policy", sort=False)}
