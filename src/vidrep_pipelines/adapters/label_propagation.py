"""Label propagation with the features of any encoder, one item per encoder and sequence."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vidrep_pipelines.adapters.encoders import EncoderSource, dealt_to_gpus, encoder_on
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence, MaskSequence
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.evaluation.label_propagation.prediction_file import (
    PREDICTION_SUFFIX,
    JointTracks,
    write_joint_tracks,
    write_label_maps,
)
from vidrep_pipelines.evaluation.label_propagation.sequence_run import SequenceRunner
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import gpus_to_use, limited_to_gpus
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.training.precision import usable_precision

_PROPAGATION = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SequenceItem:
    """One sequence for one encoder.

    Attributes:
        row: The sequence's row in the table of sequences.
        config: How labels are propagated and scored.
        encoder: The encoder whose features are compared.
        gpu: Number of the GPU that does it, where there are several.
    """

    row: Mapping[str, Any]
    config: LabelPropagationConfig
    encoder: EncoderSource
    gpu: int = 0


def propagation_job(
    rows: Mapping[str, Mapping[str, Any]],
    sources: Sequence[EncoderSource],
    config: LabelPropagationConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per encoder and sequence: its labels, carried from the first frame to the last.

    Several GPUs get about as many frames each, see :func:`~.encoders.dealt_to_gpus`.

    Args:
        rows: The sequences that can be evaluated, by id.
        sources: The encoders.
        config: How labels are propagated.
        fanout: How items are executed; on GPUs a process per core would only fill their memory.
    """
    _say_precision(config)
    gpus = gpus_to_use(config.device)
    settings = config.resolve().model_dump(mode="json", exclude={"propagation": {"block_bytes"}})
    items = [
        Item(
            id=f"{source.name}/{name}",
            payload=SequenceItem(rows[name], config, source, gpu),
            digest=digest_of(_PROPAGATION, config.task, settings, source.digest, rows[name]["digest"]),
        )
        for source, name, gpu in dealt_to_gpus(sources, rows, gpus)
    ]
    workers = limited_to_gpus(fanout, gpus, config.workers_per_gpu).trying_again()
    return Job(f"{config.task} propagation", propagate_sequence, items, (PREDICTION_SUFFIX,), workers)


def propagate_sequence(item: SequenceItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the predicted label maps, or tracks of joints, of a sequence.

    Raises:
        InputError: A frame cannot be read, or features are not numbers.
        ConfigurationError: Frames do not divide into the encoder's cells.
    """
    device = device_of_sequence(item.config.device, item.gpu)
    encoder = encoder_on(item.encoder, device)
    runner = SequenceRunner(encoder, item.config.resolve(), device, item.config.frames_per_batch)
    path = outputs[PREDICTION_SUFFIX]
    facts = _joints(item, runner, path) if item.config.task == "jhmdb" else _label_maps(item, runner, path)
    used = {"device": device.type, "precision": runner.settings_used.propagation.precision}
    return {"encoder": item.encoder.name, "sequence": str(item.row["id"]), **used, **facts}


def _label_maps(item: SequenceItem, runner: SequenceRunner, path: Path) -> dict[str, Scalar]:
    sequence = MaskSequence.of(item.row)
    first = sequence.labels(0)
    assert first is not None  # the inspection leaves out sequences whose first frame has no labels
    frames = (sequence.frame(index) for index in range(len(sequence)))
    count = write_label_maps(path, runner.label_maps(frames, first))
    rows, columns = runner.grid(*first.shape)
    lost = ", ".join(map(str, runner.lost_at_start(first)))
    return {"frames": count, "rows": rows, "columns": columns, "objects_too_small": lost}


def _joints(item: SequenceItem, runner: SequenceRunner, path: Path) -> dict[str, Scalar]:
    sequence = KeypointSequence.of(item.row)
    rows, columns = runner.grid(*sequence.frame(0).shape[:2])
    write_joint_tracks(path, JointTracks(runner.joints(sequence), (rows, columns)))
    return {"frames": len(sequence), "rows": rows, "columns": columns}


def _say_precision(config: LabelPropagationConfig) -> None:
    """A word where bfloat16 is wanted and items are computed in float32 instead."""
    device = "cuda" if gpus_to_use(config.device) else "cpu"
    used = usable_precision(torch.device(device), config.precision)
    if used != config.precision:
        _log.warning(
            "eval_%s.precision is %s, which this %s has no instructions for: computing in %s, as "
            "emulating it would take several times as long.",
            *(config.task, config.precision, device, used),
        )
