"""Tracks of all encoders, measured video by video; an item's id is ``<encoder>/<video>``."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.point_videos import PointVideo, read_point_video
from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.scoring import encoder_of, sequence_of
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig, QueryMode
from vidrep_pipelines.evaluation.points.queries import PointQueries, point_queries
from vidrep_pipelines.evaluation.points.tap_metrics import TapTruth, tap_scores
from vidrep_pipelines.evaluation.points.tracking import PointTracks, read_point_tracks
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts

STILL = "still"
"""A floor that needs no encoder: every point stays where it was asked for, and stays visible."""
TRACK_SCORE_SUFFIX = ".npz"

_SCORING = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""
_LEVELS = tuple(round(0.05 * step, 2) for step in range(20))

VideoRows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ModeScores:
    """Measures of one video for one way to ask, for L shares of a label that count as visible.

    Attributes:
        within: (5,) see :class:`TapScores`.
        occlusion_accuracy: (L,).
        jaccard: (L, 5).
    """

    within: FloatArray
    occlusion_accuracy: FloatArray
    jaccard: FloatArray


@dataclass(frozen=True)
class TrackScoreItem:
    """Tracks of one video to be measured.

    Attributes:
        row: The video's row of the table.
        config: Which queries, and what counts as visible.
        tracks: The file; None for points that stay where they are.
    """

    row: Mapping[str, Any]
    config: PointTrackingConfig
    tracks: Path | None


def visibility_levels(config: PointTrackingConfig) -> tuple[float, ...]:
    """Shares of a label from which a point counts as visible: the given one, or those to choose from."""
    return _LEVELS if config.visible_above is None else (config.visible_above,)


def track_scoring_job(
    rows: VideoRows, tracks: Parts, config: PointTrackingConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder and video, and one per video for points that stay where they are.

    Args:
        rows: The videos that can be evaluated, by id.
        tracks: What was found by all encoders.
        config: Which queries, and what counts as visible.
        fanout: How items are executed.
    """
    science = config.model_dump(mode="json", include={"queries", "query_stride"})
    made = digest_of(_SCORING, science, visibility_levels(config))
    digests = tracks.digests
    items = [
        Item(
            id=item_id,
            payload=TrackScoreItem(rows[sequence_of(item_id)], config, tracks.path(item_id)),
            digest=digest_of(made, digests[item_id]),
        )
        for item_id in tracks.ids
    ]
    still = [
        Item(f"{STILL}/{name}", TrackScoreItem(row, config, None), digest_of(made, row["digest"]))
        for name, row in rows.items()
    ]
    return Job("points scores", score_tracks, items + still, (TRACK_SCORE_SUFFIX,), fanout.trying_again())


def score_tracks(item: TrackScoreItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the measures of a video as arrays.

    Raises:
        InputError: A file is gone, or tracks and video do not fit together.
    """
    video, config = read_point_video(item.row), item.config
    found = None if item.tracks is None else read_point_tracks(item.tracks)
    arrays: dict[str, NDArray[Any]] = {}
    facts: dict[str, Scalar] = {}
    for mode in config.queries:
        queries = point_queries(mode, video.occluded, config.query_stride)
        tracks = _still(video, queries) if found is None else found[mode]
        if tracks.presence.shape != (len(queries), len(video.frames)):
            raise ResultMismatchError(
                f"{item.row['id']}: there are tracks for {tracks.presence.shape} queries and frames, but the "
                f"video has {(len(queries), len(video.frames))}. Remedy: run the whole pipeline."
            )
        scores = mode_scores(video, queries, tracks, visibility_levels(config))
        arrays |= {f"{mode}.{name}": values for name, values in vars(scores).items()}
        facts |= {f"{mode}_queries": len(queries), f"{mode}_average_delta": float(scores.within.mean())}
    with outputs[TRACK_SCORE_SUFFIX].open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return facts


def mode_scores(
    video: PointVideo, queries: PointQueries, tracks: PointTracks, levels: tuple[float, ...]
) -> ModeScores:
    """Measures of one video for one way to ask."""
    truth = TapTruth(
        video.points[queries.points], ~video.occluded[queries.points], queries.evaluated(len(video.frames))
    )
    positions = tracks.positions.astype(np.float64)
    by_level = [tap_scores(truth, positions, tracks.presence >= level) for level in levels]
    return ModeScores(
        by_level[0].within,
        np.array([scores.occlusion_accuracy for scores in by_level]),
        np.stack([scores.jaccard for scores in by_level]),
    )


def _still(video: PointVideo, queries: PointQueries) -> PointTracks:
    length = len(video.frames)
    given = queries.positions(video.points).astype(np.float32)
    return PointTracks(np.repeat(given[:, None], length, axis=1), np.ones((len(queries), length), np.float32))


def track_scores(scores: Parts, mode: QueryMode) -> dict[str, dict[str, ModeScores]]:
    """What was measured for one way to ask, by encoder and video.

    Raises:
        InputError: A file is gone or damaged.
    """
    by_encoder: dict[str, dict[str, ModeScores]] = {}
    for item_id in scores.ids:
        path = scores.path(item_id)
        try:
            with np.load(path, allow_pickle=False) as file:
                read = ModeScores(**{name: file[f"{mode}.{name}"] for name in ModeScores.__annotations__})
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{path} holds no scores ({error}). Remedy: delete it and run again.") from error
        by_encoder.setdefault(encoder_of(item_id), {})[sequence_of(item_id)] = read
    return by_encoder
