"""Nodes that evaluate encoders by label propagation."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.adapters.encoders import EncoderSource, encoder_sources
from vidrep_pipelines.adapters.label_propagation import (
    ScoreItem,
    SequenceItem,
    propagate_sequence,
    score_sequence,
)
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.datasets.label_results import PredictedSequence, ResultExport
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.encoders.config import EncodersConfig
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig

if TYPE_CHECKING:
    from vidrep_pipelines.evaluation.label_propagation.shown_sequences import SequenceView
    from vidrep_pipelines.evaluation.label_propagation.task_scores import Arrays

_PROPAGATION, _SCORING = 1, 2
"""Versions of what equal inputs lead to: raised when the code that computes it changes its results."""
_SHEET_COLUMNS = 7
_FRAMES_PER_SECOND = 12
_log = logging.getLogger(__name__)


def list_encoders(encoders: EncodersConfig, *checkpoints: Checkpoint) -> list[dict[str, Any]]:
    """The encoders to compare, with digests of their weights."""
    return [source.model_dump(mode="json") for source in encoder_sources(encoders, checkpoints)]


def propagate(
    sequences: pd.DataFrame,
    encoders: list[dict[str, Any]],
    config: LabelPropagationConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per encoder and sequence: its labels, carried from the first frame to the last."""
    from vidrep_pipelines.evaluation.label_propagation.prediction_file import PREDICTION_SUFFIX

    _say_precision(config)
    rows = _rows(sequences)
    settings = config.resolve().model_dump(mode="json", exclude={"propagation": {"block_bytes"}})
    sources = [EncoderSource.model_validate(source) for source in encoders]
    items = [
        Item(
            id=f"{source.name}/{name}",
            payload=SequenceItem(row, config, source),
            digest=digest_of(_PROPAGATION, config.task, settings, source.digest, row["digest"]),
        )
        for source in sources
        for name, row in rows.items()
    ]
    name = f"{config.task} propagation"
    workers = _workers(config, fanout).trying_again()
    return Job(name, propagate_sequence, items, (PREDICTION_SUFFIX,), workers)


def score(
    sequences: pd.DataFrame, predictions: Parts, config: LabelPropagationConfig, fanout: FanOutConfig
) -> Job:
    """One item per prediction whose sequence has an annotation: how well they agree, frame by frame."""
    from vidrep_pipelines.evaluation.label_propagation.task_scores import SCORE_SUFFIX

    rows = _rows(sequences)
    without = set(_without_truth(rows, config))
    if without:
        _log.warning(
            "%s: %d of %d sequences have labels in the first frame only: results are written, not scored.",
            config.task,
            len(without),
            len(rows),
        )
    digests = dict(zip(predictions.table["id"], predictions.table["digest"], strict=True))
    items = [
        Item(
            id=item_id,
            payload=ScoreItem(rows[_sequence(item_id)], config, predictions.path(item_id)),
            digest=digest_of(_SCORING, config.task, digests[item_id]),
        )
        for item_id in predictions.ids
        if _sequence(item_id) not in without
    ]
    return Job(f"{config.task} scores", score_sequence, items, (SCORE_SUFFIX,), fanout.trying_again())


def summarize(
    encoders: list[dict[str, Any]],
    sequences: pd.DataFrame,
    scores: Parts,
    config: LabelPropagationConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """All measures of all encoders with intervals, per object, per sequence, and as plain numbers.

    They are empty where no sequence has an annotation (a test set, which others score).
    """
    from vidrep_pipelines.evaluation.label_propagation.comparison import Comparison

    del tracking  # with it the run is opened that the numbers and the pictures after this are logged to
    found, rows = _scores(scores), _rows(sequences)
    without = _without_truth(rows, config)
    by_encoder = {source["name"]: found.get(source["name"], {}) for source in encoders}
    compare = Comparison.of if len(without) < len(rows) else Comparison.of_nothing
    comparison = compare(config.task, by_encoder)
    summary = comparison.summary()
    metrics = {
        "sequences": len(comparison.sequences),
        "sequences_left_out": [name for name in rows if name not in {*comparison.sequences, *without}],
        "sequences_without_annotation": without,
        "sequences_with_errors": sequences.loc[sequences["error"].notna(), "id"].tolist(),
        "encoders_without_result": list(comparison.without_result),
        "settings": config.resolve().model_dump(mode="json"),
        "encoders": _by_encoder(summary),
    }
    return summary, comparison.members(), comparison.headlines().reset_index(), metrics


def draw_bars(summary: pd.DataFrame, config: LabelPropagationConfig) -> Image:
    """The main measures of all encoders with their intervals."""
    from vidrep_pipelines.evaluation.label_propagation.measures import MAIN_MEASURES
    from vidrep_pipelines.reporting.label_propagation import interval_bars, note

    if summary.empty:
        return note(f"{config.task}: no sequence has an annotation, so nothing was scored")
    count = int(summary["sequences"].iloc[0])
    title = f"{config.task}: label propagation in {count} sequences"
    return interval_bars(summary, MAIN_MEASURES[config.task], title)


def draw_sheet(
    sequences: pd.DataFrame, predictions: Parts, per_sequence: pd.DataFrame, config: LabelPropagationConfig
) -> Image:
    """Annotation and results in the best and the worst sequence of the first encoder."""
    from vidrep_pipelines.evaluation.label_propagation.shown_sequences import sheet_rows
    from vidrep_pipelines.reporting.label_propagation import comparison_sheet

    shown = []
    for name, kind in _extremes(per_sequence, predictions).items():
        view, titles = _view(name, sequences, predictions, per_sequence, config)
        shown.append((f"{kind}: {name}", *sheet_rows(view, titles, _SHEET_COLUMNS)))
    first = per_sequence.columns[1]
    scored = f"best and worst sequence of {first} (score in %)"
    return comparison_sheet(shown, f"{config.task}: {'without annotation' if per_sequence.empty else scored}")


def film_extremes(
    sequences: pd.DataFrame, predictions: Parts, per_sequence: pd.DataFrame, config: LabelPropagationConfig
) -> tuple[Film, Film]:
    """The best and the worst sequence of the first encoder, annotation and results side by side.

    Where nothing was scored, the first and the last sequence.
    """
    from vidrep_pipelines.evaluation.label_propagation.shown_sequences import film

    names = list(_extremes(per_sequence, predictions))
    views = [_view(name, sequences, predictions, per_sequence, config) for name in (names[0], names[-1])]
    best, worst = (Film(film(view, titles), _FRAMES_PER_SECOND) for view, titles in views)
    return best, worst


def export_davis(
    sequences: pd.DataFrame, predictions: Parts, scores: Parts, davis: DavisConfig
) -> ResultExport:
    """Label maps in the layout of the toolkit and the server, and the toolkit's two tables of each encoder.

    An encoder without any score has no tables.
    """
    from vidrep_pipelines.evaluation.label_propagation.davis import DavisScore
    from vidrep_pipelines.evaluation.label_propagation.task_scores import davis_score

    tables = {}
    for encoder, found in _scores(scores).items():
        total = DavisScore.of(davis_score(name, arrays) for name, arrays in found.items())
        tables[f"{encoder}/global_results-{davis.split}.csv"] = total.global_table()
        tables[f"{encoder}/per-sequence_results-{davis.split}.csv"] = total.object_table()
    return ResultExport(_label_maps(sequences, predictions), tables)


def export_vip(sequences: pd.DataFrame, predictions: Parts) -> ResultExport:
    """Label maps as index PNGs."""
    return ResultExport(_label_maps(sequences, predictions), {})


def _rows(sequences: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What workers need of the sequences that can be evaluated, by id."""
    from vidrep_pipelines.data.label_sequences.sequence import usable

    fields = ("id", "frame_folder", "label_path", "digest")
    chosen = usable(sequences)[list(fields)].astype(str)
    return {str(row["id"]): {field: row[field] for field in fields} for row in chosen.to_dict("records")}


def _workers(config: LabelPropagationConfig, fanout: FanOutConfig) -> FanOutConfig:
    """On GPUs a process per core would only fill their memory."""
    import torch

    gpus = torch.cuda.device_count()
    if config.device == "cpu" or gpus == 0:
        return fanout
    limit = gpus * config.workers_per_gpu
    return fanout.model_copy(update={"workers": min(fanout.workers or limit, limit)})


def _say_precision(config: LabelPropagationConfig) -> None:
    """A word where bfloat16 is wanted and items are computed in float32 instead."""
    import torch

    from vidrep_pipelines.training.precision import usable_precision

    device = "cpu" if config.device == "cpu" or torch.cuda.device_count() == 0 else "cuda"
    used = usable_precision(torch.device(device), config.precision)
    if used != config.precision:
        _log.warning(
            "eval_%s.precision is %s, which this %s has no instructions for: computing in %s, as "
            "emulating it would take several times as long.",
            *(config.task, config.precision, device, used),
        )


def _encoder(item_id: str) -> str:
    return item_id.partition("/")[0]


def _sequence(item_id: str) -> str:
    return item_id.partition("/")[2]


def _scores(scores: Parts) -> "dict[str, dict[str, Arrays]]":
    """By encoder and sequence."""
    from vidrep_pipelines.evaluation.label_propagation.task_scores import read_scores

    found: dict[str, dict[str, Arrays]] = {}
    for item_id in scores.ids:
        found.setdefault(_encoder(item_id), {})[_sequence(item_id)] = read_scores(scores.path(item_id))
    return found


def _by_encoder(summary: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The summary as nested numbers, under names that a tracker takes."""
    found: dict[str, dict[str, float]] = {}
    for row in summary.to_dict("records"):
        name = str(row["measure"]).replace("&", "_and_").replace("@", "_at_").replace(" ", "_")
        own = found.setdefault(row["encoder"], {})
        own |= {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return found


def _without_truth(rows: Mapping[str, Mapping[str, str]], config: LabelPropagationConfig) -> list[str]:
    """Sequences whose results nobody can score here: only their first frame has labels."""
    from vidrep_pipelines.data.label_sequences.inspection import has_truth
    from vidrep_pipelines.data.label_sequences.sequence import SequenceFiles

    if config.task == "jhmdb":
        return []
    return [name for name, row in rows.items() if not has_truth(SequenceFiles.of(row))]


def _encoders_of(predictions: Parts) -> list[str]:
    """Encoders that have any result."""
    return list(dict.fromkeys(_encoder(item_id) for item_id in predictions.ids))


def _extremes(per_sequence: pd.DataFrame, predictions: Parts) -> dict[str, str]:
    """The best and, if it is another one, the worst sequence of the first encoder.

    Without scores the first and the last sequence that every encoder has a result for.
    """
    if per_sequence.empty:
        encoders = _encoders_of(predictions)
        found = Counter(_sequence(item_id) for item_id in predictions.ids)
        common = [name for name, times in found.items() if times == len(encoders)]
        if not common:
            raise InputError(
                "No sequence has a result of every encoder; the manifest of what was propagated says why."
            )
        return {common[0]: "first"} | dict.fromkeys(common[1:][-1:], "last")
    ordered = per_sequence.sort_values(per_sequence.columns[1], ascending=False, kind="stable")["sequence"]
    best, worst = ordered.iloc[0], ordered.iloc[-1]
    return {best: "best"} if best == worst else {best: "best", worst: "worst"}


def _view(
    name: str,
    sequences: pd.DataFrame,
    predictions: Parts,
    per_sequence: pd.DataFrame,
    config: LabelPropagationConfig,
) -> "tuple[SequenceView, Mapping[str, str]]":
    """A sequence, and a title with its score for each encoder."""
    from vidrep_pipelines.evaluation.label_propagation.shown_sequences import view_of

    if per_sequence.empty:
        titles = {encoder: encoder for encoder in _encoders_of(predictions)}
    else:
        values = per_sequence.set_index("sequence").loc[name]
        titles = {str(encoder): f"{encoder} {value:.1f}" for encoder, value in values.items()}
    files = {encoder: predictions.path(f"{encoder}/{name}") for encoder in titles}
    return view_of(config.task, _rows(sequences)[name], files), titles


def _label_maps(sequences: pd.DataFrame, predictions: Parts) -> tuple[PredictedSequence, ...]:
    from functools import partial

    from vidrep_pipelines.data.files.foreign_listing import stem_of
    from vidrep_pipelines.data.label_sequences.images import FRAME_SUFFIXES
    from vidrep_pipelines.data.label_sequences.sequence import MaskSequence
    from vidrep_pipelines.evaluation.label_propagation.prediction_file import read_label_maps

    rows = _rows(sequences)
    digests = dict(zip(predictions.table["id"], predictions.table["digest"], strict=True))
    found = []
    for item_id in predictions.ids:
        sequence, path = MaskSequence.of(rows[_sequence(item_id)]), predictions.path(item_id)
        # A black and white annotation says 255 where results say 1.
        first = None if sequence.two_tone else sequence.label_paths[0]
        names = tuple(stem_of(frame.name, FRAME_SUFFIXES) for frame in sequence.frame_paths)
        maps = partial(read_label_maps, path)
        found.append(PredictedSequence(_encoder(item_id), sequence.id, names, first, maps, digests[item_id]))
    return tuple(found)
