"""Results of all encoders as they are reported: compared with one another, exported for a release's tools."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from vidrep_pipelines.data.files.foreign_listing import stem_of
from vidrep_pipelines.data.label_sequences.images import FRAME_SUFFIXES
from vidrep_pipelines.data.label_sequences.result import PredictedSequence
from vidrep_pipelines.data.label_sequences.sequence import MaskSequence, evaluated_rows
from vidrep_pipelines.evaluation.label_propagation.comparison import Comparison
from vidrep_pipelines.evaluation.label_propagation.davis import DavisScore
from vidrep_pipelines.evaluation.label_propagation.prediction_file import read_label_maps
from vidrep_pipelines.evaluation.label_propagation.scoring import (
    SequenceRows,
    encoder_of,
    scores_by_encoder,
    sequence_of,
    without_truth,
)
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.evaluation.label_propagation.task_scores import davis_score
from vidrep_pipelines.fanout.parts import Parts

PropagationReport = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]
"""All measures of all encoders with intervals; per object, joint or class; per sequence; plain numbers."""


def compare_encoders(
    encoders: Sequence[str], sequences: pd.DataFrame, scores: Parts, config: LabelPropagationConfig
) -> PropagationReport:
    """All encoders on the sequences that all of them have results for.

    The tables are empty where no sequence has an annotation (a test set, which others score).

    Args:
        encoders: Names of those that were asked for, in their order.
        sequences: The table of sequences.
        scores: The scores of the predictions.
        config: How the predictions were made.

    Raises:
        InputError: No sequence can be evaluated, or none was scored for all encoders.
    """
    rows = evaluated_rows(sequences)
    by_encoder, without = scores_by_encoder(scores), without_truth(rows, config)
    compare = Comparison.of if len(without) < len(rows) else Comparison.of_nothing
    comparison = compare(config.task, {name: by_encoder.get(name, {}) for name in encoders})
    summary = comparison.summary()
    metrics = {
        "sequences": len(comparison.sequences),
        "sequences_left_out": [name for name in rows if name not in {*comparison.sequences, *without}],
        "sequences_without_annotation": without,
        "sequences_with_errors": sequences.loc[sequences["error"].notna(), "id"].tolist(),
        "encoders_without_result": list(comparison.without_result),
        "settings": config.resolve().model_dump(mode="json"),
        "encoders": numbers_by_encoder(summary),
    }
    return summary, comparison.members(), comparison.headlines().reset_index(), metrics


def numbers_by_encoder(summary: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The summary as nested numbers, under names that a tracker takes."""
    numbers: dict[str, dict[str, float]] = {}
    for row in summary.to_dict("records"):
        name = (
            str(row["measure"]).replace("&", "_and_").replace("@", "_at_").replace(",", "").replace(" ", "_")
        )
        own = numbers.setdefault(row["encoder"], {})
        own |= {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return numbers


def toolkit_tables(scores: Parts, split: str) -> Mapping[str, pd.DataFrame]:
    """The two tables of DAVIS' toolkit for each encoder that has scores, by path."""
    tables = {}
    for encoder, by_sequence in scores_by_encoder(scores).items():
        total = DavisScore.of(davis_score(name, arrays) for name, arrays in by_sequence.items())
        tables[f"{encoder}/global_results-{split}.csv"] = total.global_table()
        tables[f"{encoder}/per-sequence_results-{split}.csv"] = total.object_table()
    return tables


def predicted_sequences(rows: SequenceRows, predictions: Parts) -> tuple[PredictedSequence, ...]:
    """The label maps of all encoders, under the names of the frames; read when they are written."""
    digests = predictions.digests
    predicted = []
    for item_id in predictions.ids:
        sequence, path = MaskSequence.of(rows[sequence_of(item_id)]), predictions.path(item_id)
        # A black and white annotation says 255 where results say 1.
        first = None if sequence.two_tone else sequence.label_paths[0]
        names = tuple(stem_of(frame.name, FRAME_SUFFIXES) for frame in sequence.frame_paths)
        maps = partial(read_label_maps, path)
        predicted.append(
            PredictedSequence(encoder_of(item_id), sequence.id, names, first, maps, digests[item_id])
        )
    return tuple(predicted)
