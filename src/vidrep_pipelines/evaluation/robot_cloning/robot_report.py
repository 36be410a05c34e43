"""Which epoch is the best, and how often behavior that was cloned does its task, with intervals."""

from collections.abc import Iterable, Sequence
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
from vidrep_pipelines.evaluation.rollouts.tables import ALL_TASKS

EXPERT = "expert"
LAST, BEST = "last epoch", "best epoch"
LAST_SCORE, BEST_SCORE = "last epoch score", "best epoch score"
ATTEMPT_COLUMNS = ("encoder", "task", "seed", "after")
SUMMARY_COLUMNS = (
    *("measure", "task", "encoder", "value", "low", "high", "lead", "lead_low", "lead_high"),
    *("episodes", "seeds", "lowest_seed", "highest_seed", "renderer"),
)
"""Values and bounds of 95 % intervals in percent; see :func:`summarize_attempts`."""

_EPISODE = ["task", "episode"]
_SUCCESSES = ((LAST, LAST, "success"), (BEST, BEST, "success"))
_SCORES = ((LAST_SCORE, LAST, "score"), (BEST_SCORE, BEST, "score"))
"""What is measured: its name, which heads, and which column of rows."""


def attempt_name(encoder: str, task: str, seed: int, after: int) -> str:
    """Under which name the episodes of a head are kept, which was trained for so long."""
    return f"{encoder}/{task}/{seed}/{after:06d}"


def attempts_of(heads: Iterable[str], kept: Sequence[int]) -> pd.DataFrame:
    """One row per head and time at which it was kept, with the columns ``ATTEMPT_COLUMNS``.

    Args:
        heads: Names ``<encoder>/<task>/<seed>``.
        kept: After how many epochs or updates.
    """
    rows = [(*head.rsplit("/", 2), after) for head in heads for after in kept]
    return pd.DataFrame(rows, columns=list(ATTEMPT_COLUMNS)).astype({"seed": "int64", "after": "int64"})


def with_attempts(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of episodes with the columns of :func:`attempts_of`, which their condition's name says."""
    parts = [name.rsplit("/", 3) for name in rows["condition"]]
    named = pd.DataFrame(parts, columns=list(ATTEMPT_COLUMNS), index=rows.index)
    found = rows.assign(encoder=named["encoder"], seed=named["seed"], after=named["after"])
    return found.astype({"seed": "int64", "after": "int64"})


def choose_attempts(attempts: pd.DataFrame, selection: pd.DataFrame | None) -> pd.DataFrame:
    """Of each head the last and the best one that was kept.

    Args:
        attempts: See :func:`attempts_of`.
        selection: Rows of episodes to choose by. None: there is nothing to choose from.

    Returns:
        Of every head and time that is either: ``ATTEMPT_COLUMNS``, ``is_last``, ``is_best``, and its share of
        success in the episodes to choose by, ``selected``, or its mean score where episodes have scores. Of
        equally good ones the later is the best.
    """
    head = ["encoder", "task", "seed"]
    found = attempts.assign(selected=np.nan)
    if selection is not None:
        column = "score" if _scored(selection) else "success"
        shares = with_attempts(selection).groupby(list(ATTEMPT_COLUMNS))[column].mean()
        found = found.drop(columns="selected").join(shares.rename("selected"), on=list(ATTEMPT_COLUMNS))
    found = found.assign(is_last=found.groupby(head)["after"].transform("max") == found["after"])
    ranked = found.fillna({"selected": 0.0}).sort_values(["selected", "after"])
    best = ranked.groupby(head).tail(1).index
    found = found.assign(is_best=found.index.isin(best))
    return found[found["is_last"] | found["is_best"]].reset_index(drop=True)


def summarize_attempts(
    rows: pd.DataFrame, chosen: pd.DataFrame, encoders: Sequence[str], level: float = LEVEL
) -> pd.DataFrame:
    """Success of all inputs after the last and after the best epoch, for all tasks together and for each.

    An interval is Wilson's, with as many independent answers as there are layouts: attempts of several heads
    at one layout are averaged. What other demonstrations and other heads would change is not in it; how much
    heads differ is said by ``lowest_seed`` and ``highest_seed``. ``lead`` is the difference to the first
    input in the same layouts, its interval by resampling these. Where all episodes have a score, the mean
    score stands beside success under measures of its own, with intervals by resampling layouts.

    Args:
        rows: One per episode, of the measured part, see :func:`with_attempts`.
        chosen: See :func:`choose_attempts`.
        encoders: Names of inputs in the order of the report; the first one is what leads are over.
        level: Of the intervals.

    Returns:
        ``SUMMARY_COLUMNS``, in percent but for counts; the task ``all`` first.

    Raises:
        InputError: Inputs were tried out in other layouts, or nothing was.
    """
    if rows.empty:
        raise InputError("No cloned behavior was tried out. Remedy: see which stage before failed.")
    measured = _by_measure(with_attempts(rows), chosen)
    tasks = [ALL_TASKS, *dict.fromkeys(measured["task"])]
    present = [name for name in encoders if name in set(measured["encoder"])]
    found = []
    for measure, heads, column in _measures(rows):
        own = measured[measured["measure"] == heads]
        shares = {name: _by_episode(own[own["encoder"] == name], column) for name in present}
        _require_same_episodes(shares)
        for task in tasks:
            for name in present:
                one, first = (_of_task(shares[other], task) for other in (name, present[0]))
                cell = _cell(one, column, level) | _lead(one, first, level)
                found.append({"measure": measure, "task": task, "encoder": name, **cell})
    renderer = ", ".join(sorted(set(rows["renderer"])))
    return pd.DataFrame(found).assign(renderer=renderer)[list(SUMMARY_COLUMNS)]


def compare_with(rows: pd.DataFrame, chosen: pd.DataFrame, floors: Sequence[str]) -> pd.DataFrame:
    """Every input less each floor, in the same layouts, for all tasks together and for each.

    Args:
        rows: One per episode.
        chosen: See :func:`choose_attempts`.
        floors: Names of the inputs that others are compared with.

    Returns:
        ``measure``, ``task``, ``encoder``, ``than``, ``difference`` with ``low`` and ``high``, in percent.
    """
    measured = _by_measure(with_attempts(rows), chosen)
    tasks = [ALL_TASKS, *dict.fromkeys(measured["task"])]
    found = []
    for measure, heads, column in _measures(rows):
        own = measured[measured["measure"] == heads]
        shares = {name: _by_episode(part, column) for name, part in own.groupby("encoder", sort=False)}
        pairs = [(name, than) for than in floors for name in shares if than in shares and name != than]
        for name, than in pairs:
            for task in tasks:
                lead = _lead(_of_task(shares[name], task), _of_task(shares[than], task), LEVEL)
                row = {"measure": measure, "task": task, "encoder": name, "than": than}
                numbers = dict(zip(("difference", "low", "high"), lead.values(), strict=True))
                found.append({**row, **numbers})
    columns = ["measure", "task", "encoder", "than", "difference", "low", "high"]
    return pd.DataFrame(found, columns=columns)


def robot_metrics(summary: pd.DataFrame, encoders: Sequence[str]) -> dict[str, Any]:
    """Success and leads over all tasks and for each, by name, for a tracker.

    Args:
        summary: See :func:`summarize_attempts`.
        encoders: Names of all inputs; those that are not in the summary are named.
    """
    measured = set(summary["encoder"])
    found: dict[str, Any] = {"inputs_without_result": [name for name in encoders if name not in measured]}
    for row in summary.to_dict("records"):
        name = f"{str(row['measure']).replace(' ', '_')}/{row['task']}/{row['encoder']}"
        found |= {name: row["value"], f"{name}/low": row["low"], f"{name}/high": row["high"]}
        found |= {f"{name}/lead": row["lead"]} if row["task"] == ALL_TASKS else {}
    return found


def _by_measure(rows: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The rows of last and of best heads, with the column ``measure``; experts are both."""
    joined = rows.merge(
        chosen[[*ATTEMPT_COLUMNS, "is_last", "is_best"]], how="left", on=list(ATTEMPT_COLUMNS)
    )
    expert = joined["encoder"] == EXPERT
    parts = [
        joined[expert | joined[column].eq(True)].assign(measure=measure)
        for column, measure in (("is_last", LAST), ("is_best", BEST))
    ]
    return pd.concat(parts, ignore_index=True)


def _scored(rows: pd.DataFrame) -> bool:
    """Whether all episodes have a score; rows of former runs have no such column."""
    return "score" in rows and bool(rows["score"].notna().all())


def _measures(rows: pd.DataFrame) -> tuple[tuple[str, str, str], ...]:
    return (*_SUCCESSES, *_SCORES) if _scored(rows) else _SUCCESSES


def _by_episode(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """(episodes, seeds) success, 1 or 0, or score, 0..1; rows are named by task and episode."""
    numbers = rows.assign(**{column: rows[column].astype(np.float64)})
    return numbers.pivot_table(index=_EPISODE, columns="seed", values=column, sort=False)


def _of_task(shares: pd.DataFrame, task: str) -> pd.DataFrame:
    return shares if task == ALL_TASKS else shares.loc[[task]]


def _require_same_episodes(shares: dict[str, pd.DataFrame]) -> None:
    sets = {name: set(own.index) for name, own in shares.items()}
    first = next(iter(sets))
    for name, own in sets.items():
        if own != sets[first]:
            raise InputError(
                f"{name} and {first} were not tried out in the same layouts. Remedy: run again; what is done "
                "is kept."
            )


def _cell(shares: pd.DataFrame, column: str, level: float) -> dict[str, Any]:
    """Wilson's interval of a share of success; that of a mean score by resampling layouts."""
    share, seeds = float(shares.mean(axis=1).mean()), shares.mean(axis=0)
    low, high = wilson_interval(share, len(shares), level)
    if column == "score":
        members = [np.array([value]) for value in shares.mean(axis=1)]
        found = confidence_interval(mean_over_members(members), len(members), level, RESAMPLES)
        low, high = found.low, found.high
    return {
        "value": 100 * share,
        "low": 100 * min(low, share),  # of none and of all, rounding would leave the share outside
        "high": 100 * max(high, share),
        "episodes": len(shares),
        "seeds": shares.shape[1],
        "lowest_seed": 100 * float(seeds.min()),
        "highest_seed": 100 * float(seeds.max()),
    }


def _lead(one: pd.DataFrame, other: pd.DataFrame, level: float) -> dict[str, float]:
    differences = (one.mean(axis=1) - other.mean(axis=1)).dropna().to_numpy(np.float64)
    members = [np.array([value]) for value in differences]
    found = confidence_interval(mean_over_members(members), len(members), level, RESAMPLES)
    return {"lead": 100 * found.value, "lead_low": 100 * found.low, "lead_high": 100 * found.high}
