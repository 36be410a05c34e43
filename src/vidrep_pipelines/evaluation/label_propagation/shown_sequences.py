"""Frames of a sequence with labels drawn on them: the annotation's, and what was found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL.Image import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence, MaskSequence
from vidrep_pipelines.evaluation.label_propagation.config import PropagationTask
from vidrep_pipelines.evaluation.label_propagation.keypoints import cells_to_pixels
from vidrep_pipelines.evaluation.label_propagation.prediction_file import read_joint_tracks, read_label_maps
from vidrep_pipelines.evaluation.label_propagation.scoring import SequenceRows, encoder_of, sequence_of
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.reporting.label_propagation import comparison_sheet, draw_joints, overlay, side_by_side

TRUTH = "annotation"


class ShownSequence(Protocol):
    """A sequence that can be looked at."""

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def truth(self, index: int) -> Pixels:
        """A frame (H, W, 3) with its annotation, or without where it has none."""
        ...

    def prediction(self, encoder: str, index: int) -> Pixels:
        """A frame (H, W, 3) with what an encoder's features led to."""
        ...


@dataclass(frozen=True)
class ShownMasks:
    """DAVIS and VIP.

    Attributes:
        sequence: Frames and annotations.
        predictions: Files by encoder.
    """

    sequence: MaskSequence
    predictions: Mapping[str, Path]

    def __len__(self) -> int:
        return len(self.sequence)

    def truth(self, index: int) -> Pixels:
        """See :class:`ShownSequence`."""
        labels = self.sequence.labels(index)
        frame = self.sequence.frame(index)
        return frame if labels is None else overlay(frame, labels)

    def prediction(self, encoder: str, index: int) -> Pixels:
        """See :class:`ShownSequence`."""
        return overlay(self.sequence.frame(index), self._maps[encoder][index])

    @cached_property
    def _maps(self) -> dict[str, Pixels]:
        return {encoder: read_label_maps(path) for encoder, path in self.predictions.items()}


@dataclass(frozen=True)
class ShownJoints:
    """JHMDB.

    Attributes:
        sequence: Frames and annotations.
        predictions: Files by encoder.
    """

    sequence: KeypointSequence
    predictions: Mapping[str, Path]

    def __len__(self) -> int:
        return len(self.sequence)

    def truth(self, index: int) -> Pixels:
        """See :class:`ShownSequence`."""
        return draw_joints(self.sequence.frame(index), self._annotated[:, :, index])

    def prediction(self, encoder: str, index: int) -> Pixels:
        """See :class:`ShownSequence`."""
        frame = self.sequence.frame(index)
        tracks = self._tracks[encoder]
        points = cells_to_pixels(tracks.positions[:, :, index], frame.shape[:2], tracks.grid)
        points[:, tracks.positions[0, :, index] < 0] = np.nan
        return draw_joints(frame, points)

    @cached_property
    def _annotated(self) -> NDArray[np.float64]:
        return self.sequence.joints() - 1

    @cached_property
    def _tracks(self) -> Mapping[str, Any]:
        return {encoder: read_joint_tracks(path) for encoder, path in self.predictions.items()}


def shown_sequence(
    task: PropagationTask, row: Mapping[str, Any], predictions: Mapping[str, Path]
) -> ShownSequence:
    """A row of the table of sequences, to be looked at."""
    if task == "jhmdb":
        return ShownJoints(KeypointSequence.of(row), predictions)
    return ShownMasks(MaskSequence.of(row), predictions)


def film(shown: ShownSequence, encoders: Mapping[str, str]) -> Pixels:
    """Frames (T, H, W, 3) with the annotation and what each encoder led to, side by side.

    Args:
        shown: The sequence.
        encoders: Title of each encoder's panel.
    """
    pictures = []
    for index in range(len(shown)):
        panels = {f"{TRUTH}, frame {index}": shown.truth(index)}
        panels |= {title: shown.prediction(name, index) for name, title in encoders.items()}
        pictures.append(side_by_side(panels))
    return np.stack(pictures)


def sheet_rows(
    shown: ShownSequence, encoders: Mapping[str, str], columns: int
) -> tuple[Sequence[int], dict[str, list[Pixels]]]:
    """Numbers of evenly spaced frames, and a row of these for the annotation and each encoder, by title."""
    numbers = np.unique(np.linspace(0, len(shown) - 1, columns).round().astype(int)).tolist()
    rows = {TRUTH: [shown.truth(index) for index in numbers]}
    return numbers, rows | {
        title: [shown.prediction(name, index) for index in numbers] for name, title in encoders.items()
    }


def extreme_sheet(
    rows: SequenceRows,
    predictions: Parts,
    per_sequence: pd.DataFrame,
    config: LabelPropagationConfig,
    columns: int,
) -> Image:
    """Annotation and results in the best and the worst sequence of the first encoder.

    Args:
        rows: The sequences that can be evaluated, by id.
        predictions: The predictions of all encoders.
        per_sequence: A column ``sequence``, then one of scores for each encoder; empty without scores.
        config: Says which task it is.
        columns: Frames of each sequence.

    Raises:
        InputError: No sequence has a result of every encoder.
    """
    shown = []
    for name, kind in extremes(per_sequence, predictions).items():
        sequence, titles = _with_titles(name, rows, predictions, per_sequence, config)
        shown.append((f"{kind}: {name}", *sheet_rows(sequence, titles, columns)))
    first = per_sequence.columns[1]
    scored = f"best and worst sequence of {first} (score in %)"
    return comparison_sheet(shown, f"{config.task}: {'without annotation' if per_sequence.empty else scored}")


def extreme_films(
    rows: SequenceRows, predictions: Parts, per_sequence: pd.DataFrame, config: LabelPropagationConfig
) -> list[Pixels]:
    """Frames (T, H, W, 3) of the best and the worst sequence of the first encoder: see :func:`extremes`."""
    names = list(extremes(per_sequence, predictions))
    return [
        film(*_with_titles(name, rows, predictions, per_sequence, config)) for name in (names[0], names[-1])
    ]


def extremes(per_sequence: pd.DataFrame, predictions: Parts) -> dict[str, str]:
    """The best and, if it is another one, the worst sequence of the first encoder.

    Without scores the first and the last sequence that every encoder has a result for.

    Args:
        per_sequence: A column ``sequence``, then one of scores for each encoder.
        predictions: The predictions of all encoders.

    Returns:
        What it is (``best``, ``worst``, ``first``, ``last``), by sequence.

    Raises:
        InputError: No sequence has a result of every encoder.
    """
    if per_sequence.empty:
        encoders = _encoders_of(predictions)
        results = Counter(sequence_of(item_id) for item_id in predictions.ids)
        common = [name for name, times in results.items() if times == len(encoders)]
        if not common:
            raise InputError(
                "No sequence has a result of every encoder; the manifest of what was propagated says why."
            )
        return {common[0]: "first"} | dict.fromkeys(common[1:][-1:], "last")
    ordered = per_sequence.sort_values(per_sequence.columns[1], ascending=False, kind="stable")["sequence"]
    best, worst = ordered.iloc[0], ordered.iloc[-1]
    return {best: "best"} if best == worst else {best: "best", worst: "worst"}


def _with_titles(
    name: str,
    rows: SequenceRows,
    predictions: Parts,
    per_sequence: pd.DataFrame,
    config: LabelPropagationConfig,
) -> tuple[ShownSequence, Mapping[str, str]]:
    """A sequence, and a title with its score for each encoder."""
    if per_sequence.empty:
        titles = {encoder: encoder for encoder in _encoders_of(predictions)}
    else:
        values = per_sequence.set_index("sequence").loc[name]
        titles = {str(encoder): f"{encoder} {value:.1f}" for encoder, value in values.items()}
    files = {encoder: predictions.path(f"{encoder}/{name}") for encoder in titles}
    return shown_sequence(config.task, rows[name], files), titles


def _encoders_of(predictions: Parts) -> list[str]:
    """Encoders that have any result."""
    return list(dict.fromkeys(encoder_of(item_id) for item_id in predictions.ids))
