"""Scores of several encoders side by side: per action, and of all actions together."""

from collections.abc import Mapping
from functools import cache, partial

import numpy as np
import pandas as pd

from vidrep_pipelines.evaluation.frame_embeddings.scores import OVERALL, Resampled, Score, draw_videos

SUMMARY_COLUMNS = (
    "measure",
    "encoder",
    "value",
    "low",
    "high",
    "lead",
    "lead_low",
    "lead_high",
    "actions",
    "videos",
)
"""Values, bounds of 95 % intervals, and by how much the first encoder is ahead of this one, with bounds.
Accuracies and precisions are in [0, 1], R^2 at most 1, tau in [-1, 1]. ``actions`` and ``videos`` count
those behind the value."""

PER_ACTION_COLUMNS = ("action", *(name for name in SUMMARY_COLUMNS if name != "actions"))

Scores = dict[tuple[str, str], Score]
"""By measure and action."""

Samples = Mapping[str, Mapping[str, Resampled]]
"""By encoder and action, of one measure."""


def score_tables(scores: Mapping[str, Scores], resamples: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables with ``SUMMARY_COLUMNS`` and ``PER_ACTION_COLUMNS``; measures in the order of the scores.

    Args:
        scores: By encoder; the first one is compared with the others.
        resamples: How often videos are drawn anew.
    """
    draws = cache(partial(draw_videos, resamples=resamples))
    summary, per_action = [], []
    for measure in dict.fromkeys(name for found in scores.values() for name, _ in found):
        own = {encoder: _of_measure(found, measure) for encoder, found in scores.items()}
        samples = {
            encoder: {
                action: score.resampled(draws(action, score.split, score.videos))
                for action, score in found.items()
            }
            for encoder, found in own.items()
        }
        for encoder, found in own.items():
            actions = [action for action in found if action != OVERALL]
            for action in actions:
                numbers = _numbers(samples, encoder, [action])
                per_action.append((action, measure, encoder, *numbers, found[action].videos))
            if found:
                counted = [action for action in actions if not np.isnan(samples[encoder][action].value)]
                videos = sum(found[action].videos for action in counted)
                numbers = _numbers(samples, encoder, [OVERALL] if OVERALL in found else actions)
                summary.append((measure, encoder, *numbers, len(counted), videos))
    return (
        pd.DataFrame(summary, columns=list(SUMMARY_COLUMNS)),
        pd.DataFrame(per_action, columns=list(PER_ACTION_COLUMNS)),
    )


def _of_measure(scores: Scores, measure: str) -> dict[str, Score]:
    return {action: score for (name, action), score in scores.items() if name == measure}


def _numbers(samples: Samples, encoder: str, actions: list[str]) -> tuple[float, ...]:
    """Value and lead with their bounds, as means over the actions."""
    own, first = samples[encoder], next(iter(samples.values()))
    value = Resampled.mean([own[action] for action in actions]).interval()
    leads = [first[action].lead_over(own[action]) for action in actions if action in first]
    lead = Resampled.mean(leads).interval()
    return value.value, value.low, value.high, lead.value, lead.low, lead.high
