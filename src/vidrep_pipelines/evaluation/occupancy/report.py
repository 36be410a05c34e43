"""What is reported of an occupancy model whose values were measured."""

import logging
from typing import Any

import pandas as pd

from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.published_metrics import published_horizon, share_within
from vidrep_pipelines.evaluation.occupancy.scores import score_table
from vidrep_pipelines.reporting.occupancy import score_text

_log = logging.getLogger(__name__)


def score_report(
    values: pd.DataFrame, gamma: float, config: OccupancyEvaluationConfig, model: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Scores with intervals, of the model of this name, and the numbers to track.

    Args:
        values: One row per state.
        gamma: Discount of the model.
        config: Split and bootstrap.
        model: How reports call it.
    """
    scores = score_table(values, config).assign(model=model)
    _log.info("%s, %d states of %s:\n%s", model, len(values), config.split, score_text(scores))
    return scores, {
        "gamma": gamma,
        **dict(scores[["metric", "value"]].itertuples(index=False)),
        "published_truth_share": share_within(gamma, published_horizon(gamma)),
        "states": len(values),
    }
