"""Scores of single sequences, kept as arrays: those of a data set and their intervals follow from them."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence, MaskSequence
from vidrep_pipelines.evaluation.label_propagation.config import PropagationTask
from vidrep_pipelines.evaluation.label_propagation.davis import SequenceScore, score_sequence
from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.part_segmentation import confusion, segmentation_score
from vidrep_pipelines.evaluation.label_propagation.pck import THRESHOLDS, joint_distances
from vidrep_pipelines.evaluation.label_propagation.prediction_file import read_joint_tracks, read_label_maps

SCORE_SUFFIX = ".npz"
Arrays = Mapping[str, NDArray[Any]]
"""``davis``: region, contour (objects, T - 2), and objects, their numbers (absent: from 1). ``jhmdb``:
distance (NaN where nobody annotated the joint), counted (joints, T - 1). ``vip``: with_given, without_given,
confusion matrices (classes, classes)."""


class SequenceAnnotations(Sequence[Pixels]):
    """Label maps (H, W) of all frames of a sequence, read when asked for."""

    def __init__(self, sequence: MaskSequence) -> None:
        self._sequence = sequence

    def __len__(self) -> int:
        return len(self._sequence)

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pixels]: ...
    def __getitem__(self, index: int | slice) -> Pixels | list[Pixels]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        labels = self._sequence.labels(index)
        if labels is None:
            raise InputError(f"{self._sequence.frame_paths[index]} has no annotation; every frame needs one.")
        return labels


def score_prediction(task: PropagationTask, row: Mapping[str, Any], prediction: Path) -> Arrays:
    """Scores what was predicted for one sequence.

    Args:
        task: The task, which says how to score it.
        row: The sequence's row of the table of sequences.
        prediction: File with what was predicted.

    Raises:
        ResultMismatchError: Prediction and annotation do not fit together.
        InputError: A file is gone or damaged.
    """
    match task:
        case "davis":
            sequence = MaskSequence.of(row)
            score = score_sequence(sequence.id, SequenceAnnotations(sequence), read_label_maps(prediction))
            return {"region": score.region, "contour": score.contour, "objects": np.array(score.objects)}
        case "jhmdb":
            return _score_joints(KeypointSequence.of(row), prediction)
        case "vip":
            return _score_parts(MaskSequence.of(row), prediction)


def _score_joints(sequence: KeypointSequence, prediction: Path) -> Arrays:
    tracks, image = read_joint_tracks(prediction), sequence.frame(0).shape[:2]
    joints = joint_distances(sequence.joints(), tracks.positions, image, tracks.grid, sequence.id)
    return {"distance": joints.distance, "counted": joints.counted}


def _score_parts(sequence: MaskSequence, prediction: Path) -> Arrays:
    maps = read_label_maps(prediction)
    if len(maps) != len(sequence):
        raise ResultMismatchError(
            f"{sequence.id}: there are {len(maps)} results for {len(sequence)} frames; every frame needs one."
        )
    counts = [
        confusion(truth, maps[index], name=f"{sequence.id}, frame {index},")
        for index in range(len(sequence))
        if (truth := sequence.labels(index)) is not None
    ]
    return {
        "with_given": np.sum(counts, axis=0),
        "without_given": np.sum([counts[0] * 0, *counts[1:]], axis=0),
    }


def headline(task: PropagationTask, arrays: Arrays) -> float | None:
    """One number in [0, 1] by which sequences are ranked; None where there is nothing to average.

    J&F for DAVIS, the share of joints within 0.1 of the body for JHMDB, mIoU without the given frame for VIP.
    """
    match task:
        case "davis":
            values = np.stack([arrays["region"], arrays["contour"]])
        case "jhmdb":
            values = (arrays["distance"] <= THRESHOLDS[0])[arrays["counted"]]
        case "vip":
            counts = arrays["without_given"]
            values = segmentation_score(counts).mean_iou if counts.any() else np.empty(0)
    return float(np.mean(values)) if np.size(values) else None


def write_scores(path: Path, arrays: Arrays) -> None:
    """Writes the arrays into one compressed file."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_scores(path: Path) -> Arrays:
    """Reads what ``write_scores`` wrote.

    Raises:
        InputError: The file is gone or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} holds no scores ({error}). Remedy: delete it and run again.") from error


def davis_score(name: str, arrays: Arrays) -> SequenceScore:
    """The arrays of a sequence of DAVIS as what they are."""
    objects = arrays.get("objects", np.arange(1, len(arrays["region"]) + 1))
    return SequenceScore(name, arrays["region"], arrays["contour"], tuple(objects.tolist()))
