"""Rows of episodes put together: success with intervals, sweeps, and two runs compared in pairs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import (
    LEVEL,
    RESAMPLES,
    confidence_interval,
    mean_over_members,
    wilson_interval,
)
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord

ALL_TASKS = "all"
_PAIR = ["task", "episode"]


def record_table(records: Sequence[EpisodeRecord]) -> pd.DataFrame:
    """One row per attempt, with the fields of :class:`EpisodeRecord` as columns; no score is not a number."""
    columns = list(EpisodeRecord.__dataclass_fields__)
    table = pd.DataFrame([asdict(record) for record in records], columns=columns)
    return table.astype({"score": "float64"})


def success_table(rows: pd.DataFrame, by: Sequence[str] = ("task",), level: float = LEVEL) -> pd.DataFrame:
    """Shares of success with Wilson's intervals.

    With ``by=("execute_steps",)``, after rows of several runs were given such a column, this is the table of
    a sweep.

    Args:
        rows: One per attempt: ``success``, ``steps``, and the columns of ``by``.
        by: What rows are grouped by, in their first order.
        level: Of the intervals.

    Returns:
        The columns of ``by``, then episodes, successes, success, low, high, and steps: the mean number of
        control steps of attempts that succeeded.
    """
    names = list(by)
    found = []
    for key, own in rows.groupby(names, sort=False):
        values = dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True))
        found.append({**values, **success_cell(own, level)})
    return pd.DataFrame(found, columns=[*names, *_CELL])


_CELL = ["episodes", "successes", "success", "low", "high", "steps"]


def success_cell(rows: pd.DataFrame, level: float = LEVEL) -> dict[str, Any]:
    """The share of success of rows, at least one, with Wilson's interval."""
    successes, count = int(rows["success"].sum()), len(rows)
    low, high = wilson_interval(successes / count, count, level)
    steps = rows.loc[rows["success"].astype(bool), "steps"]
    return {
        "episodes": count,
        "successes": successes,
        "success": successes / count,
        "low": low,
        "high": high,
        "steps": float(steps.mean()) if len(steps) else np.nan,
    }


def compare_runs(
    first: pd.DataFrame, second: pd.DataFrame, level: float = LEVEL, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """The second run less the first on the same episodes, for all tasks together and for each.

    Args:
        first: Rows of a run: ``task``, ``episode``, ``renderer``, ``success``.
        second: Rows of another.
        level: Of the intervals.
        resamples: Resamples of the bootstrap, which draws pairs.

    Returns:
        One row per task (``all`` first): ``episodes``; the shares ``first`` and ``second``; ``difference``
        with its interval ``low``, ``high``; ``only_first`` and ``only_second``: episodes in which one of the
        runs alone succeeded.

    Raises:
        InputError: The runs have other episodes, one twice, or other renderers.
    """
    pairs = _matched(first, second)
    groups = [(ALL_TASKS, pairs), *pairs.groupby("task", sort=False)]
    return pd.DataFrame([{"task": task, **_difference(own, level, resamples)} for task, own in groups])


def _matched(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    renderers = [sorted(set(rows["renderer"])) for rows in (first, second)]
    if renderers[0] != renderers[1]:
        raise InputError(
            f"The runs were rendered by {renderers[0]} and {renderers[1]}, which changes success. Remedy: "
            "compare runs of one renderer."
        )
    names = [set(map(tuple, rows[_PAIR].itertuples(index=False))) for rows in (first, second)]
    if names[0] != names[1] or len(first) != len(names[0]) or len(second) != len(names[1]):
        other = sorted(names[0] ^ names[1])
        example = f" {other[0][1]!r} is in one of them only." if other else " An episode stands there twice."
        raise InputError(
            f"The runs have {len(first)} and {len(second)} episodes that are not the same.{example} Remedy: "
            "roll both out with equal tasks, episodes and seeds."
        )
    columns = [*_PAIR, "success"]
    return first[columns].merge(second[columns], on=_PAIR, suffixes=("_first", "_second"))


def _difference(pairs: pd.DataFrame, level: float, resamples: int) -> dict[str, Any]:
    one, other = (pairs[f"success_{side}"].to_numpy(np.float64) for side in ("first", "second"))
    members = [np.array([value]) for value in other - one]
    found = confidence_interval(mean_over_members(members), len(members), level, resamples)
    return {
        "episodes": len(pairs),
        "first": float(one.mean()),
        "second": float(other.mean()),
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "only_first": int(((one == 1) & (other == 0)).sum()),
        "only_second": int(((one == 0) & (other == 1)).sum()),
    }
