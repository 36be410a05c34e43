"""Every encoder by every evaluation: one table with intervals, paired differences, cost, and the front."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class ComparedEvaluation:
    """A column of the comparison: one measure of one evaluation's summary.

    Attributes:
        name: How table and pictures call it.
        dataset: The summary in the catalog: ``measure``, ``encoder``, ``value``, ``low``, ``high``, and
            ``lead``, ``lead_low``, ``lead_high`` of its first encoder over each on the same resamples.
        measure: Which of its measures.
        count: Its column that counts what was resampled.
        scale: What makes percent of its numbers.
    """

    name: str
    dataset: str
    measure: str
    count: str
    scale: float = 1.0


EVALUATIONS = (
    ComparedEvaluation("DAVIS, J&F", "davis.summary", "J&F-Mean", "sequences"),
    ComparedEvaluation("JHMDB, PCK@0.1", "jhmdb.summary", "PCK@0.1", "sequences"),
    ComparedEvaluation("VIP, mIoU", "vip.summary", "mIoU", "sequences"),
    ComparedEvaluation("points, AJ", "points.summary", "average Jaccard, first queries", "sequences"),
    ComparedEvaluation("points, delta", "points.summary", "average delta, first queries", "sequences"),
    ComparedEvaluation("phases", "encoder_phases.summary", "phase_classification_100", "videos", 100),
    ComparedEvaluation(
        "order in time, tau", "encoder_phases.summary", "kendall_tau_all_pairs", "videos", 100
    ),
    ComparedEvaluation("clips, kNN", "probe.summary", "knn top-1", "clips"),
    ComparedEvaluation("clips, linear", "probe.summary", "linear top-1", "clips"),
    ComparedEvaluation("clips, attentive", "probe.summary", "attentive top-1", "clips"),
)
"""What encoders are compared by, in the order of tables and pictures. One more evaluation is one more entry,
and its pipeline in ``pipelines/downstream_eval/compare_encoders_pipeline.py``."""

SUMMARIES = tuple(dict.fromkeys(evaluation.dataset for evaluation in EVALUATIONS))
"""The summaries that the table is made of."""

_DIFFERENCE = ("difference", "difference_low", "difference_high")
_COSTS = ("milliseconds", "milliseconds_low", "milliseconds_high", "parameters")
COMPARISON_COLUMNS = (
    *("evaluation", "encoder", "value", "low", "high", *_DIFFERENCE, "verdict", "count"),
    *("floor", "above_floors", *_COSTS, "on_front"),
)
"""Values and 95 % intervals in percent. ``difference``: this encoder less the reference, paired;
``verdict``: ``above`` or ``below`` where the interval of the difference leaves out 0, ``same`` where it does
not. ``above_floors``: whether the value is above every floor's. ``milliseconds`` a frame, ``parameters`` of
all that is loaded; ``on_front``: no other encoder is both at least as fast and better."""


def comparison_table(
    summaries: Mapping[str, pd.DataFrame], costs: pd.DataFrame, untrained: Mapping[str, bool]
) -> pd.DataFrame:
    """One row per evaluation and contender, see ``COMPARISON_COLUMNS``; what has no result has no row.

    Args:
        summaries: By the names of ``SUMMARIES``. Whoever in them is no encoder is a floor, such as chance.
        costs: One row per encoder that could be timed: ``encoder`` and its cost.
        untrained: The encoders, and whether each has learned nothing. The first one is the reference that
            others are compared with, and the first of every summary that has it.
    """
    reference = next(iter(untrained))
    by_encoder = costs.set_index("encoder")
    rows = [
        {**row, **_cost(by_encoder, row["encoder"])}
        for evaluation in EVALUATIONS
        for row in _rows(evaluation, summaries[evaluation.dataset], reference)
    ]
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    table["floor"] = [untrained.get(encoder, True) for encoder in table["encoder"]]
    highest = table[table["floor"]].groupby("evaluation")["value"].max()
    table["above_floors"] = table["value"] > table["evaluation"].map(highest).fillna(-math.inf)
    fronts = [on_front(own) for _, own in table.groupby("evaluation", sort=False)]
    table["on_front"] = pd.concat(fronts) if fronts else False
    return table.astype({"floor": bool, "above_floors": bool, "on_front": bool, "parameters": "Int64"})


def on_front(rows: pd.DataFrame) -> pd.Series:
    """Which contenders of one evaluation no other beats in time and value; none of those without cost."""
    time, value = rows["milliseconds"].to_numpy(np.float64), rows["value"].to_numpy(np.float64)
    as_good = (time[None] <= time[:, None]) & (value[None] >= value[:, None])
    better = (time[None] < time[:, None]) | (value[None] > value[:, None])
    beaten = (as_good & better).any(axis=1)
    return pd.Series(~beaten & np.isfinite(time) & np.isfinite(value), index=rows.index)


def _rows(evaluation: ComparedEvaluation, summary: pd.DataFrame, reference: str) -> list[dict[str, Any]]:
    own = summary[summary["measure"] == evaluation.measure]
    paired = len(own) > 0 and own["encoder"].iloc[0] == reference
    return [_row(evaluation, row, paired) for row in own.to_dict("records")]


def _row(evaluation: ComparedEvaluation, row: Mapping[Any, Any], paired: bool) -> dict[str, Any]:
    scale = evaluation.scale
    value, low, high = (scale * float(row[name]) for name in ("value", "low", "high"))
    lead = [-scale * float(row[name]) if paired else math.nan for name in ("lead", "lead_high", "lead_low")]
    return {
        "evaluation": evaluation.name,
        "encoder": str(row["encoder"]),
        **{"value": value, "low": low, "high": high},
        **{name: number + 0.0 for name, number in zip(_DIFFERENCE, lead, strict=True)},
        "verdict": _verdict(lead[1], lead[2]),
        "count": int(row[evaluation.count]),
    }


def _verdict(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    return "above" if low > 0 else "below" if high < 0 else "same"


def _cost(costs: pd.DataFrame, encoder: str) -> dict[str, Any]:
    if encoder not in costs.index:
        return {**dict.fromkeys(_COSTS, math.nan), "parameters": None}
    return {name: costs.loc[encoder, name] for name in _COSTS}


def comparison_text(table: pd.DataFrame) -> str:
    """The table as text: a row per contender, a column per evaluation with the interval, ``*`` on the front.

    A value that is above or below the reference's beyond the interval of their difference is marked by ``+``
    or ``-``.
    """
    marks = {"above": "+", "below": "-", "same": "", "": ""}
    cells: dict[str, dict[str, str]] = {}
    for row in table.to_dict("records"):
        star = "*" if row["on_front"] else ""
        cell = f"{row['value']:.1f} [{row['low']:.1f}, {row['high']:.1f}]{marks[row['verdict']]}{star}"
        columns = cells.setdefault(row["encoder"], {})
        if not math.isnan(row["milliseconds"]):
            columns["ms a frame"] = f"{row['milliseconds']:.2f}"
        columns[row["evaluation"]] = cell
    shown = pd.DataFrame.from_dict(cells, orient="index").fillna("")
    order = ["ms a frame", *dict.fromkeys(table["evaluation"])]
    return str(shown.reindex(columns=[name for name in order if name in shown]).to_string())


def comparison_metrics(table: pd.DataFrame, encoders: Collection[str]) -> dict[str, Any]:
    """The table as nested numbers, and which encoders lack a result that others have."""
    there = set(zip(table["encoder"], table["evaluation"], strict=True))
    names = list(dict.fromkeys(table["evaluation"]))
    metrics: dict[str, Any] = {
        "cells_without_result": [
            f"{encoder}: {name}" for encoder in encoders for name in names if (encoder, name) not in there
        ]
    }
    for row in table.to_dict("records"):
        own = metrics.setdefault(row["encoder"], {})
        name = "".join(letter if letter.isalnum() else "_" for letter in row["evaluation"]).replace("__", "_")
        numbers = {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
        numbers |= {f"{name}_{column}": row[column] for column in _DIFFERENCE}
        numbers["milliseconds"] = row["milliseconds"]
        own |= {key: float(number) for key, number in numbers.items() if math.isfinite(number)}
    return metrics
