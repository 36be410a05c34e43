"""Nodes that evaluate encoders by following points."""

from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.label_sequences.config import PointsConfig
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words

_SHEET_COLUMNS = 6
_FRAMES_PER_SECOND = 12


def follow_point_videos(
    videos: pd.DataFrame, encoders: list[dict[str, Any]], config: PointTrackingConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder and video: its points, followed from where they are asked for."""
    from vidrep_pipelines.adapters.encoders import encoder_sources_of
    from vidrep_pipelines.adapters.point_tracking import point_tracking_job
    from vidrep_pipelines.data.label_sequences.point_videos import evaluated_point_videos

    return point_tracking_job(evaluated_point_videos(videos), encoder_sources_of(encoders), config, fanout)


def score_point_tracks(
    videos: pd.DataFrame, tracks: Parts, config: PointTrackingConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder and video: position, occlusion, and both at once, as TAP-Vid measures them."""
    from vidrep_pipelines.data.label_sequences.point_videos import evaluated_point_videos
    from vidrep_pipelines.evaluation.points.track_scoring import track_scoring_job

    return track_scoring_job(evaluated_point_videos(videos), tracks, config, fanout)


def summarize_point_tracks(
    encoders: list[dict[str, Any]],
    videos: pd.DataFrame,
    scores: Parts,
    config: PointTrackingConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """All measures of all encoders with intervals, per video, and as plain numbers."""
    from vidrep_pipelines.data.label_sequences.point_videos import evaluated_point_videos
    from vidrep_pipelines.evaluation.points.track_report import compare_tracks

    del tracking  # with it the run is opened that the numbers and the pictures after this are logged to
    names = [source["name"] for source in encoders]
    return compare_tracks(names, evaluated_point_videos(videos), scores, config)


def points_interval_picture(
    summary: pd.DataFrame, config: PointTrackingConfig, points: PointsConfig
) -> Image:
    """The main measures of all encoders with their intervals; the title says what they were measured on."""
    from vidrep_pipelines.evaluation.points.track_report import MAIN_MEASURES, measure_name
    from vidrep_pipelines.reporting.label_propagation import interval_bars

    count = int(summary["sequences"].iloc[0])
    measures = [measure_name(measure, config.queries[0]) for measure in MAIN_MEASURES]
    title = f"Points: {data_in_words('points', {'points': points}, count)}"
    return interval_bars(summary, measures, title)


def points_sheet_picture(
    videos: pd.DataFrame, tracks: Parts, per_video: pd.DataFrame, config: PointTrackingConfig
) -> Image:
    """True and found tracks in the best and the worst video of the first encoder."""
    from vidrep_pipelines.data.label_sequences.point_videos import evaluated_point_videos
    from vidrep_pipelines.evaluation.points.shown_tracks import track_sheet

    return track_sheet(evaluated_point_videos(videos), tracks, per_video, config, _SHEET_COLUMNS)


def film_point_tracks(
    videos: pd.DataFrame, tracks: Parts, per_video: pd.DataFrame, config: PointTrackingConfig
) -> tuple[Film, Film]:
    """The best and the worst video of the first encoder, true and found tracks side by side."""
    from vidrep_pipelines.data.label_sequences.point_videos import evaluated_point_videos
    from vidrep_pipelines.evaluation.points.shown_tracks import track_films

    films = track_films(evaluated_point_videos(videos), tracks, per_video, config)
    best, worst = (Film(frames, _FRAMES_PER_SECOND) for frames in films)
    return best, worst
