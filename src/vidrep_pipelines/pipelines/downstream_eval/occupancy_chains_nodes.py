"""Nodes that compare ways of learning an occupancy on Markov chains, where it is known exactly."""

import logging
from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.adapters.occupancy_chains_config import OccupancyChainsConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig

_log = logging.getLogger(__name__)


def plan_chain_runs(config: OccupancyChainsConfig, fanout: FanOutConfig) -> Job:
    """One item per chain, way of learning and seed: a model that is trained and scored."""
    from vidrep_pipelines.adapters.occupancy_chains import chain_job

    return chain_job(config, fanout)


def compare_chain_runs(
    runs: Parts, config: OccupancyChainsConfig, tracking: TrackingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Scores of all runs, a summary per kind of chain and way of learning, and the same as numbers."""
    from vidrep_pipelines.evaluation.occupancy.chain_comparison import compare_learners, scores_of_runs

    del tracking  # the hook logs the numbers
    scores = scores_of_runs(runs)
    summary = compare_learners(scores, config.reference)
    _log.info("occupancy on chains:\n%s", summary.to_string(index=False, float_format="%.3g"))
    metrics: dict[str, Any] = {"runs_failed": runs.failed["id"].tolist()}
    for kind, own in summary.groupby("kind", sort=False):
        metrics[str(kind)] = own.drop(columns="kind").set_index("learner").to_dict("index")
    return scores, summary, metrics


def gather_curves(runs: Parts) -> pd.DataFrame:
    """Scores of all runs by the number of updates."""
    from vidrep_pipelines.evaluation.occupancy.chain_comparison import curves_of_runs

    return curves_of_runs(runs)


def chain_picture(scores: pd.DataFrame, curves: pd.DataFrame) -> Image:
    """Errors by kind of chain and way of learning, at the end and while learning."""
    from vidrep_pipelines.reporting.occupancy_chains import chain_chart

    return chain_chart(scores, curves)
