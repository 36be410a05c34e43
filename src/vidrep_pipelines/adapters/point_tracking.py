"""Points followed with the features of any encoder, one item per encoder and video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrep_pipelines.adapters.encoders import EncoderSource, dealt_to_gpus, encoder_on
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.label_sequences.point_videos import read_point_video
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig
from vidrep_pipelines.evaluation.points.queries import point_queries
from vidrep_pipelines.evaluation.points.tracking import (
    TRACKS_SUFFIX,
    PointTracks,
    follow_points,
    usable_on,
    video_features,
    write_point_tracks,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import gpus_to_use, limited_to_gpus
from vidrep_pipelines.fanout.job import Item, Job, Scalar

_FOLLOWING = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""
_NO_SCIENCE = {"visible_above", "device", "frames_per_batch", "workers_per_gpu"}
"""What changes no track."""


@dataclass(frozen=True)
class PointItem:
    """One video for one encoder.

    Attributes:
        row: The video's row of the table.
        config: How points are followed.
        encoder: The encoder whose features are compared.
        gpu: Number of the GPU that does it, where there are several.
    """

    row: Mapping[str, Any]
    config: PointTrackingConfig
    encoder: EncoderSource
    gpu: int = 0


def point_tracking_job(
    rows: Mapping[str, Mapping[str, Any]],
    sources: Sequence[EncoderSource],
    config: PointTrackingConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per encoder and video: its points, followed from where they are asked for.

    Several GPUs get about as many frames each, see :func:`~.encoders.dealt_to_gpus`.

    Args:
        rows: The videos that can be evaluated, by id.
        sources: The encoders.
        config: How points are followed.
        fanout: How items are executed; on GPUs a process per core would only fill their memory.
    """
    gpus = gpus_to_use(config.device)
    science = config.model_dump(mode="json", exclude=_NO_SCIENCE)
    science["propagation"].pop("block_bytes")
    items = [
        Item(
            id=f"{source.name}/{name}",
            payload=PointItem(rows[name], config, source, gpu),
            digest=digest_of(_FOLLOWING, science, source.digest, rows[name]["digest"]),
        )
        for source, name, gpu in dealt_to_gpus(sources, rows, gpus)
    ]
    fanout = limited_to_gpus(fanout, gpus, config.workers_per_gpu)
    return Job("points tracking", follow_video, items, (TRACKS_SUFFIX,), fanout.trying_again())


def follow_video(item: PointItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the tracks of a video's points, for each way to ask for them.

    Raises:
        InputError: The video cannot be read or is shorter than the encoder's window, or features are not
            numbers.
        ConfigurationError: The encoder's stride does not divide the size of the frames.
    """
    device = device_of_sequence(item.config.device, item.gpu)
    config = usable_on(item.config, device)
    encoder = encoder_on(item.encoder, device)
    video = read_point_video(item.row)
    features = video_features(video.frames, encoder, config, device)
    tracks: dict[str, PointTracks] = {}
    for mode in config.queries:
        queries = point_queries(mode, video.occluded, config.query_stride)
        tracks[mode] = follow_points(features, queries, queries.positions(video.points), config)
    write_point_tracks(outputs[TRACKS_SUFFIX], tracks)
    return {
        "encoder": item.encoder.name,
        "video": str(item.row["id"]),
        "device": device.type,
        "precision": config.propagation.precision,
        "frames": len(video.frames),
        "rows": features.shape[-2],
        "columns": features.shape[-1],
    }
