"""A measured run in plain numbers, and runs that differ by their seed side by side."""

from typing import Any

import pandas as pd

from vidrep_pipelines.evaluation.video_prediction.system import MODEL

FACTS_OF_RUNS = ("run", "training", "recipe", "settings", "seed", "step", "split", "guidance", "steps")
"""What a record says beside its measures."""


def measures_of_run(
    summary: pd.DataFrame, differences: pd.DataFrame, counterfactuals: pd.DataFrame
) -> dict[str, float]:
    """All numbers of a run by name.

    Args:
        summary: See :func:`~vidrep_pipelines.evaluation.video_prediction.summary.summary_table`.
        differences: See :func:`~vidrep_pipelines.evaluation.video_prediction.summary.difference_table`.
        counterfactuals: The summary of the counterfactual test; may have no rows.

    Returns:
        ``<data set>.<predictor>.<metric>``, ``<data set>.<metric>_above_<floor>`` with ``_low``, the lower
        end of its interval, and ``counterfactual.<combination>.<measure>`` of the model.
    """
    numbers = {f"{row.robot}.{row.predictor}.{row.metric}": row.value for row in summary.itertuples()}
    for row in differences.itertuples():
        name = f"{row.robot}.{row.metric}_above_{row.against}"
        numbers |= {name: row.value, f"{name}_low": row.low}
    if len(counterfactuals):
        own = counterfactuals[counterfactuals["predictor"] == MODEL]
        numbers |= {f"counterfactual.{row.combination}.{row.measure}": row.value for row in own.itertuples()}
    return {name: float(value) for name, value in numbers.items()}  # type: ignore[arg-type]


def seeds_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Puts runs of one recipe, measured alike, side by side: how much of a number is due to the seed?

    Args:
        runs: One row per record, with the columns ``FACTS_OF_RUNS`` and one per measure.

    Returns:
        Columns recipe, settings, split, measure, runs, seeds (as text), mean, deviation (of the runs; empty
        for a single one), lowest, highest.
    """
    rows: list[dict[str, Any]] = []
    for (recipe, settings), own in runs.groupby(["recipe", "settings"], sort=False):
        fixed = {"recipe": recipe, "settings": settings, "split": own["split"].iloc[0]}
        seeds = "+".join(str(seed) for seed in sorted(own["seed"]))
        for measure in own.columns.drop(list(FACTS_OF_RUNS), errors="ignore"):
            values = own[measure].dropna().astype(float)
            if len(values):
                rows.append({
                    **fixed, "measure": measure, "runs": len(values), "seeds": seeds,
                    "mean": values.mean(), "deviation": values.std(ddof=1),
                    "lowest": values.min(), "highest": values.max(),
                })  # fmt: skip
    return pd.DataFrame(rows)
