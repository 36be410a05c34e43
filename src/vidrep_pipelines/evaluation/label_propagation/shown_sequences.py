"""Frames of a sequence with labels drawn on them: the annotation's, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence, MaskSequence
from vidrep_pipelines.evaluation.label_propagation.config import TaskName
from vidrep_pipelines.evaluation.label_propagation.keypoints import to_pixels
from vidrep_pipelines.evaluation.label_propagation.prediction_file import read_joints, read_label_maps
from vidrep_pipelines.evaluation.label_propagation.preprocessing import Pixels
from vidrep_pipelines.reporting.label_propagation import draw_joints, overlay, side_by_side

TRUTH = "annotation"


class SequenceView(Protocol):
    """A sequence that can be looked at."""

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def truth(self, index: int) -> Pixels:
        """A frame (H, W, 3) with its annotation, or without where it has none."""
        ...

    def found(self, encoder: str, index: int) -> Pixels:
        """A frame (H, W, 3) with what an encoder's features led to."""
        ...


@dataclass(frozen=True)
class MaskView:
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
        """See :class:`SequenceView`."""
        labels = self.sequence.labels(index)
        frame = self.sequence.frame(index)
        return frame if labels is None else overlay(frame, labels)

    def found(self, encoder: str, index: int) -> Pixels:
        """See :class:`SequenceView`."""
        return overlay(self.sequence.frame(index), self._maps[encoder][index])

    @cached_property
    def _maps(self) -> dict[str, Pixels]:
        return {encoder: read_label_maps(path) for encoder, path in self.predictions.items()}


@dataclass(frozen=True)
class JointView:
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
        """See :class:`SequenceView`."""
        return draw_joints(self.sequence.frame(index), self._annotated[:, :, index])

    def found(self, encoder: str, index: int) -> Pixels:
        """See :class:`SequenceView`."""
        frame = self.sequence.frame(index)
        tracks = self._tracks[encoder]
        points = to_pixels(tracks.positions[:, :, index], frame.shape[:2], tracks.grid)
        points[:, tracks.positions[0, :, index] < 0] = np.nan
        return draw_joints(frame, points)

    @cached_property
    def _annotated(self) -> NDArray[np.float64]:
        return self.sequence.joints() - 1

    @cached_property
    def _tracks(self) -> Mapping[str, Any]:
        return {encoder: read_joints(path) for encoder, path in self.predictions.items()}


def view_of(task: TaskName, row: Mapping[str, Any], predictions: Mapping[str, Path]) -> SequenceView:
    """The view of a row of the table of sequences."""
    if task == "jhmdb":
        return JointView(KeypointSequence.of(row), predictions)
    return MaskView(MaskSequence.of(row), predictions)


def film(view: SequenceView, encoders: Mapping[str, str]) -> Pixels:
    """Frames (T, H, W, 3) with the annotation and what each encoder led to, side by side.

    Args:
        view: The sequence.
        encoders: Title of each encoder's panel.
    """
    pictures = []
    for index in range(len(view)):
        panels = {f"{TRUTH}, frame {index}": view.truth(index)}
        panels |= {title: view.found(name, index) for name, title in encoders.items()}
        pictures.append(side_by_side(panels))
    return np.stack(pictures)


def sheet_rows(
    view: SequenceView, encoders: Mapping[str, str], columns: int
) -> tuple[Sequence[int], dict[str, list[Pixels]]]:
    """Numbers of evenly spaced frames, and a row of these for the annotation and each encoder, by title."""
    numbers = np.unique(np.linspace(0, len(view) - 1, columns).round().astype(int)).tolist()
    rows = {TRUTH: [view.truth(index) for index in numbers]}
    return numbers, rows | {
        title: [view.found(name, index) for index in numbers] for name, title in encoders.items()
    }
