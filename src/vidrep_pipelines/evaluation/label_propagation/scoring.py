"""Predictions of all encoders, scored sequence by sequence; an item's id is ``<encoder>/<sequence>``."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.label_sequences.inspection import has_truth
from vidrep_pipelines.data.label_sequences.sequence import SequenceFiles
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.evaluation.label_propagation.task_scores import (
    SCORE_SUFFIX,
    Arrays,
    headline,
    read_scores,
    score_prediction,
    write_scores,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts

SequenceRows = Mapping[str, Mapping[str, Any]]

_SCORING = 2
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoreItem:
    """One prediction to be scored.

    Attributes:
        row: The sequence's row of the table of sequences.
        config: Says which task it is.
        prediction: The file.
    """

    row: Mapping[str, Any]
    config: LabelPropagationConfig
    prediction: Path


def encoder_of(item_id: str) -> str:
    """The encoder of an item."""
    return item_id.partition("/")[0]


def sequence_of(item_id: str) -> str:
    """The sequence of an item."""
    return item_id.partition("/")[2]


def scoring_job(
    rows: SequenceRows, predictions: Parts, config: LabelPropagationConfig, fanout: FanOutConfig
) -> Job:
    """One item per prediction whose sequence has an annotation: how well they agree, frame by frame.

    Args:
        rows: The sequences that can be evaluated, by id.
        predictions: The predictions of all encoders.
        config: Says which task it is.
        fanout: How items are executed.
    """
    without = set(without_truth(rows, config))
    if without:
        _log.warning(
            "%s: %d of %d sequences have labels in the first frame only: results are written, not scored.",
            config.task,
            len(without),
            len(rows),
        )
    digests = predictions.digests
    items = [
        Item(
            id=item_id,
            payload=ScoreItem(rows[sequence_of(item_id)], config, predictions.path(item_id)),
            digest=digest_of(_SCORING, config.task, digests[item_id]),
        )
        for item_id in predictions.ids
        if sequence_of(item_id) not in without
    ]
    return Job(f"{config.task} scores", score_item, items, (SCORE_SUFFIX,), fanout.trying_again())


def score_item(item: ScoreItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the scores of a sequence as arrays.

    Raises:
        InputError: Prediction and annotation do not fit together, or a file is gone.
    """
    arrays = score_prediction(item.config.task, item.row, item.prediction)
    write_scores(outputs[SCORE_SUFFIX], arrays)
    return {"score": headline(item.config.task, arrays)}


def without_truth(rows: SequenceRows, config: LabelPropagationConfig) -> list[str]:
    """Sequences whose results nobody can score here: only their first frame has labels."""
    if config.task == "jhmdb":
        return []
    return [name for name, row in rows.items() if not has_truth(SequenceFiles.of(row))]


def scores_by_encoder(scores: Parts) -> dict[str, dict[str, Arrays]]:
    """What was scored, by encoder and sequence."""
    by_encoder: dict[str, dict[str, Arrays]] = {}
    for item_id in scores.ids:
        arrays = read_scores(scores.path(item_id))
        by_encoder.setdefault(encoder_of(item_id), {})[sequence_of(item_id)] = arrays
    return by_encoder
