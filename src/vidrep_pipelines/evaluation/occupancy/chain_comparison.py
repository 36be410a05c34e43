"""Ways of learning an occupancy side by side, on chains that are known exactly."""

import numpy as np
import pandas as pd

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import Statistic, confidence_interval
from vidrep_pipelines.fanout.manifest import FIXED
from vidrep_pipelines.fanout.parts import Parts

RUN_NAMES = ("kind", "chain", "learner", "seed")
"""What the parts of an item's id mean: ``<kind>/<chain>/<learner>/<seed>``."""


def scores_of_runs(runs: Parts) -> pd.DataFrame:
    """One row per run that succeeded: ``RUN_NAMES`` and its scores at the end.

    Raises:
        InputError: Every run failed.
    """
    if not runs.ids:
        raise InputError(f"Every run on chains failed; the first: {runs.failed['error'].iloc[0]}")
    succeeded = runs.table[runs.table["status"] == "ok"].reset_index(drop=True)
    facts = succeeded.drop(columns=[name for name in FIXED.names if name in succeeded])
    return pd.concat([_names_of(succeeded["id"]), facts.astype(float)], axis=1)


def curves_of_runs(runs: Parts) -> pd.DataFrame:
    """One row per run and measured number of updates: ``RUN_NAMES``, ``update`` and the scores."""
    parts = {item: pd.read_parquet(runs.path(item)) for item in runs.ids}
    curves = pd.concat(parts, names=["id"]).reset_index(level="id").reset_index(drop=True)
    return pd.concat([_names_of(curves["id"]), curves.drop(columns="id")], axis=1)


def _names_of(ids: "pd.Series[str]") -> pd.DataFrame:
    names = ids.str.split("/", expand=True).set_axis(list(RUN_NAMES), axis=1)
    return names.astype({"chain": int, "seed": int})


def compare_learners(scores: pd.DataFrame, reference: str) -> pd.DataFrame:
    """How many times closer to the exact values each way comes than the reference does.

    Runs are paired: each is compared with the reference's run on the same chain from the same seed.

    Args:
        scores: One row per run: ``kind`` of chain, ``chain``, ``learner``, ``seed`` and the fields of
            :class:`~vidrep_pipelines.evaluation.occupancy.markov_chain.ChainScores`.
        reference: The learner that others are compared with.

    Returns:
        One row per kind and learner, in their first order: ``runs`` (pairs compared); medians over them of
        ``total_variation``, ``invalid_mass``, ``value_error`` and ``share_of_mean_error`` (the value error
        over that of predicting the mean value everywhere) and ``worst_share_of_mean_error`` of any run;
        ``times_closer``, the median ratio of the reference's value error to the learner's, with its 95 %
        bootstrap interval ``low``, ``high``; and ``times_closer_total_variation`` likewise without interval.

    Raises:
        InputError: A kind of chain has no run of the reference.
    """
    columns = ["kind", "chain", "seed"]
    baseline = scores.loc[scores["learner"] == reference, [*columns, "value_error", "total_variation"]]
    paired = scores.merge(baseline, on=columns, how="inner", suffixes=("", "_reference"))
    missing = sorted(set(scores["kind"]) - set(paired["kind"]))
    if missing:
        raise InputError(
            f"No run of {reference!r} on chains of {', '.join(missing)} to compare with. Remedy: see the "
            "errors of its failed runs, or name another occupancy_chains.reference."
        )
    groups = paired.groupby(["kind", "learner"], sort=False)
    return pd.DataFrame([{"kind": kind, "learner": name, **_summary(runs)} for (kind, name), runs in groups])


def _summary(runs: pd.DataFrame) -> dict[str, float]:
    share = runs["value_error"] / runs["mean_value_error"]
    ratios = (runs["value_error_reference"] / runs["value_error"]).to_numpy(np.float64)
    closer = confidence_interval(_median_of(ratios), len(ratios))
    variation = runs["total_variation_reference"] / runs["total_variation"]
    return {
        "runs": len(runs),
        "total_variation": float(runs["total_variation"].median()),
        "invalid_mass": float(runs["invalid_mass"].median()),
        "value_error": float(runs["value_error"].median()),
        "share_of_mean_error": float(share.median()),
        "worst_share_of_mean_error": float(share.max()),
        "times_closer": closer.value,
        "low": closer.low,
        "high": closer.high,
        "times_closer_total_variation": float(variation.median()),
    }


def _median_of(values: FloatArray) -> Statistic:
    """The median of values that count several times."""
    ordered = np.sort(values)
    order = np.argsort(values)

    def statistic(weights: FloatArray) -> FloatArray:
        reached = np.cumsum(weights[:, order], axis=1)
        half = reached[:, -1:] / 2
        lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
        medians: FloatArray = (ordered[lower] + ordered[upper]) / 2
        return medians

    return statistic
