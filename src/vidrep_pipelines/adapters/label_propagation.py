"""What is done for one sequence, in whichever process."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidrep_pipelines.adapters.encoders import EncoderSource, load_encoder
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.fanout.job import Scalar

if TYPE_CHECKING:
    import torch

    from vidrep_pipelines.evaluation.encoders.protocol import ImageEncoder

_ENCODERS_KEPT = 2


@dataclass(frozen=True)
class SequenceItem:
    """One sequence for one encoder.

    Attributes:
        row: Of the table of sequences.
        config: How labels are propagated and scored.
        encoder: Whose features.
    """

    row: Mapping[str, Any]
    config: LabelPropagationConfig
    encoder: EncoderSource


@dataclass(frozen=True)
class ScoreItem:
    """One prediction to be scored.

    Attributes:
        row: Of the table of sequences.
        config: Says which task it is.
        prediction: The file.
    """

    row: Mapping[str, Any]
    config: LabelPropagationConfig
    prediction: Path


def propagate_sequence(item: SequenceItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the predicted label maps, or tracks of joints, of a sequence.

    Raises:
        InputError: A frame cannot be read, or features are not numbers.
        ConfigurationError: Frames do not divide into the encoder's cells.
    """
    from vidrep_pipelines.evaluation.label_propagation.frame_features import choose_device
    from vidrep_pipelines.evaluation.label_propagation.prediction_file import PREDICTION_SUFFIX
    from vidrep_pipelines.evaluation.label_propagation.sequence_run import SequenceRunner

    device = choose_device(item.config.device, str(item.row["id"]))
    runner = SequenceRunner(
        _encoder_on(item.encoder, device), item.config.resolve(), device, item.config.frames_per_batch
    )
    path = outputs[PREDICTION_SUFFIX]
    found = _joints(item, runner, path) if item.config.task == "jhmdb" else _label_maps(item, runner, path)
    used = {"device": device.type, "precision": runner.settings_used.propagation.precision}
    return {"encoder": item.encoder.name, "sequence": str(item.row["id"]), **used, **found}


def _label_maps(item: SequenceItem, runner: Any, path: Path) -> dict[str, Scalar]:
    from vidrep_pipelines.data.label_sequences.sequence import MaskSequence
    from vidrep_pipelines.evaluation.label_propagation.prediction_file import write_label_maps

    sequence = MaskSequence.of(item.row)
    first = sequence.labels(0)
    assert first is not None  # the inspection leaves out sequences whose first frame has no labels
    frames = (sequence.frame(index) for index in range(len(sequence)))
    count = write_label_maps(path, runner.label_maps(frames, first))
    rows, columns = runner.grid(*first.shape)
    lost = ", ".join(map(str, runner.lost_at_start(first)))
    return {"frames": count, "rows": rows, "columns": columns, "objects_too_small": lost}


def _joints(item: SequenceItem, runner: Any, path: Path) -> dict[str, Scalar]:
    from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence
    from vidrep_pipelines.evaluation.label_propagation.prediction_file import JointTracks, write_joints

    sequence = KeypointSequence.of(item.row)
    rows, columns = runner.grid(*sequence.frame(0).shape[:2])
    write_joints(path, JointTracks(runner.joints(sequence), (rows, columns)))
    return {"frames": len(sequence), "rows": rows, "columns": columns}


def score_sequence(item: ScoreItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the scores of a sequence as arrays.

    Raises:
        InputError: Prediction and annotation do not fit together, or a file is gone.
    """
    from vidrep_pipelines.evaluation.label_propagation.task_scores import (
        SCORE_SUFFIX,
        headline,
        score_prediction,
        write_scores,
    )

    arrays = score_prediction(item.config.task, item.row, item.prediction)
    write_scores(outputs[SCORE_SUFFIX], arrays)
    return {"score": headline(item.config.task, arrays)}


@lru_cache(maxsize=_ENCODERS_KEPT)
def _encoder_on(source: EncoderSource, device: "torch.device") -> "ImageEncoder":
    """A worker process has many sequences of the same encoder."""
    from torch import nn

    encoder = load_encoder(source)
    assert isinstance(encoder, nn.Module)
    encoder.to(device)
    return encoder
