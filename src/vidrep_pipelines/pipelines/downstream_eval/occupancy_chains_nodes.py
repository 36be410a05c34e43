"""Nodes that compare ways of learning an occupancy on Markov chains, where it is known exactly."""

import logging
from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.adapters.occupancy_chains_config import (
    ChainRunConfig,
    OccupancyChainsConfig,
)
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.manifest import FIXED
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig

_LEARNING = 1
"""Version of what equal runs lead to: raised when the code that trains or scores changes its results."""
_RUN = ["kind", "chain", "learner", "seed"]
_log = logging.getLogger(__name__)


def plan_runs(config: OccupancyChainsConfig, fanout: FanOutConfig) -> Job:
    """One item per chain, way of learning and seed: a model that is trained and scored."""
    from vidrep_pipelines.adapters.occupancy_chains import CURVE_SUFFIX, ChainItem, learn_chain

    items = []
    for kind, chain in config.kinds.items():
        for number in range(config.chains):
            for name, learner in config.learners.items():
                for seed in range(config.seeds):
                    train = config.train.model_copy(update={"seed": config.train.seed + seed})
                    run = ChainRunConfig(
                        learner=learner,
                        network=config.network,
                        train=train,
                        measurements=config.measurements,
                    )
                    identity = (chain, number, run.model_dump(exclude={"train"}), train.identity())
                    payload = ChainItem(chain, number, run)
                    items.append(
                        Item(f"{kind}/{number}/{name}/{seed}", payload, digest_of(_LEARNING, *identity))
                    )
    return Job("occupancy chains", learn_chain, items, (CURVE_SUFFIX,), fanout)


def compare(
    runs: Parts, config: OccupancyChainsConfig, tracking: TrackingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Scores of all runs, a summary per kind of chain and way of learning, and the same as numbers."""
    from vidrep_pipelines.evaluation.occupancy.chain_comparison import compare_learners

    del tracking  # the hook logs the numbers
    if not runs.ids:
        raise InputError(f"Every run on chains failed; the first: {runs.failed['error'].iloc[0]}")
    succeeded = runs.table[runs.table["status"] == "ok"].reset_index(drop=True)
    facts = succeeded.drop(columns=[name for name in FIXED.names if name in succeeded])
    scores = pd.concat([_names_of(succeeded["id"]), facts.astype(float)], axis=1)
    summary = compare_learners(scores, config.reference)
    _log.info("occupancy on chains:\n%s", summary.to_string(index=False, float_format="%.3g"))
    metrics: dict[str, Any] = {"runs_failed": runs.failed["id"].tolist()}
    for kind, own in summary.groupby("kind", sort=False):
        metrics[str(kind)] = own.drop(columns="kind").set_index("learner").to_dict("index")
    return scores, summary, metrics


def gather_curves(runs: Parts) -> pd.DataFrame:
    """Scores of all runs by the number of updates."""
    parts = {item: pd.read_parquet(runs.path(item)) for item in runs.ids}
    curves = pd.concat(parts, names=["id"]).reset_index(level="id").reset_index(drop=True)
    return pd.concat([_names_of(curves["id"]), curves.drop(columns="id")], axis=1)


def draw_chains(scores: pd.DataFrame, curves: pd.DataFrame) -> Image:
    """Errors by kind of chain and way of learning, at the end and while learning."""
    from vidrep_pipelines.reporting.occupancy_chains import chain_chart

    return chain_chart(scores, curves)


def _names_of(ids: "pd.Series[str]") -> pd.DataFrame:
    """What the parts of the items' ids mean."""
    names = ids.str.split("/", expand=True).set_axis(_RUN, axis=1)
    return names.astype({"chain": int, "seed": int})
