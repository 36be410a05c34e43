"""Nodes that evaluate encoders by label propagation."""

from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.label_sequences.config import DavisConfig, JhmdbConfig, VipConfig
from vidrep_pipelines.data.label_sequences.result import ResultExport
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words

_SHEET_COLUMNS = 7
_FRAMES_PER_SECOND = 12


def propagate_labels(
    sequences: pd.DataFrame,
    encoders: list[dict[str, Any]],
    config: LabelPropagationConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per encoder and sequence: its labels, carried from the first frame to the last."""
    from vidrep_pipelines.adapters.encoders import encoder_sources_of
    from vidrep_pipelines.adapters.label_propagation import propagation_job
    from vidrep_pipelines.data.label_sequences.sequence import evaluated_rows

    return propagation_job(evaluated_rows(sequences), encoder_sources_of(encoders), config, fanout)


def score_predictions(
    sequences: pd.DataFrame, predictions: Parts, config: LabelPropagationConfig, fanout: FanOutConfig
) -> Job:
    """One item per prediction whose sequence has an annotation: how well they agree, frame by frame."""
    from vidrep_pipelines.data.label_sequences.sequence import evaluated_rows
    from vidrep_pipelines.evaluation.label_propagation.scoring import scoring_job

    return scoring_job(evaluated_rows(sequences), predictions, config, fanout)


def summarize_scores(
    encoders: list[dict[str, Any]],
    sequences: pd.DataFrame,
    scores: Parts,
    config: LabelPropagationConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """All measures of all encoders with intervals, per object, per sequence, and as plain numbers.

    They are empty where no sequence has an annotation (a test set, which others score).
    """
    from vidrep_pipelines.evaluation.label_propagation.report import compare_encoders

    del tracking  # with it the run is opened that the numbers and the pictures after this are logged to
    return compare_encoders([source["name"] for source in encoders], sequences, scores, config)


def davis_interval_picture(
    summary: pd.DataFrame, sequences: pd.DataFrame, config: LabelPropagationConfig, davis: DavisConfig
) -> Image:
    """The main measures of all encoders with their intervals; the title says what they were measured on."""
    return _interval_picture(summary, sequences, config, davis)


def jhmdb_interval_picture(
    summary: pd.DataFrame, sequences: pd.DataFrame, config: LabelPropagationConfig, jhmdb: JhmdbConfig
) -> Image:
    """The main measures of all encoders with their intervals; the title says what they were measured on."""
    return _interval_picture(summary, sequences, config, jhmdb)


def vip_interval_picture(
    summary: pd.DataFrame, sequences: pd.DataFrame, config: LabelPropagationConfig, vip: VipConfig
) -> Image:
    """The main measures of all encoders with their intervals; the title says what they were measured on."""
    return _interval_picture(summary, sequences, config, vip)


def sheet_picture(
    sequences: pd.DataFrame, predictions: Parts, per_sequence: pd.DataFrame, config: LabelPropagationConfig
) -> Image:
    """Annotation and results in the best and the worst sequence of the first encoder."""
    from vidrep_pipelines.data.label_sequences.sequence import evaluated_rows
    from vidrep_pipelines.evaluation.label_propagation.shown_sequences import extreme_sheet

    rows = evaluated_rows(sequences)
    return extreme_sheet(rows, predictions, per_sequence, config, _SHEET_COLUMNS)


def film_extremes(
    sequences: pd.DataFrame, predictions: Parts, per_sequence: pd.DataFrame, config: LabelPropagationConfig
) -> tuple[Film, Film]:
    """The best and the worst sequence of the first encoder, annotation and results side by side.

    Where nothing was scored, the first and the last sequence.
    """
    from vidrep_pipelines.data.label_sequences.sequence import evaluated_rows
    from vidrep_pipelines.evaluation.label_propagation.shown_sequences import extreme_films

    films = extreme_films(evaluated_rows(sequences), predictions, per_sequence, config)
    best, worst = (Film(frames, _FRAMES_PER_SECOND) for frames in films)
    return best, worst


def export_davis(
    sequences: pd.DataFrame, predictions: Parts, scores: Parts, davis: DavisConfig
) -> ResultExport:
    """Label maps in the layout of the toolkit and the server, and the toolkit's two tables of each encoder.

    An encoder without any score has no tables.
    """
    from vidrep_pipelines.data.label_sequences.sequence import evaluated_rows
    from vidrep_pipelines.evaluation.label_propagation.report import predicted_sequences, toolkit_tables

    predicted = predicted_sequences(evaluated_rows(sequences), predictions)
    return ResultExport(predicted, toolkit_tables(scores, davis.split))


def export_vip(sequences: pd.DataFrame, predictions: Parts) -> ResultExport:
    """Label maps as index PNGs."""
    from vidrep_pipelines.data.label_sequences.sequence import evaluated_rows
    from vidrep_pipelines.evaluation.label_propagation.report import predicted_sequences

    return ResultExport(predicted_sequences(evaluated_rows(sequences), predictions), {})


def _interval_picture(
    summary: pd.DataFrame,
    sequences: pd.DataFrame,
    config: LabelPropagationConfig,
    release: DavisConfig | JhmdbConfig | VipConfig,
) -> Image:
    from vidrep_pipelines.evaluation.label_propagation.measures import MAIN_MEASURES
    from vidrep_pipelines.reporting.label_propagation import interval_bars, note

    if summary.empty:
        return note(f"{config.task}: no sequence has an annotation, so nothing was scored")
    count = int(summary["sequences"].iloc[0])
    words = data_in_words(config.task, {config.task: release}, count, sequences["id"].astype(str).tolist())
    return interval_bars(summary, MAIN_MEASURES[config.task], f"Label propagation: {words}")
