"""Frames of a video with tracks drawn on them: the true ones, and what each encoder found."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.label_sequences.point_videos import read_point_video
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig
from vidrep_pipelines.evaluation.points.queries import point_queries
from vidrep_pipelines.evaluation.points.track_scoring import STILL, VideoRows
from vidrep_pipelines.evaluation.points.tracking import read_point_tracks
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.reporting.label_propagation import comparison_sheet, side_by_side
from vidrep_pipelines.reporting.point_tracks import DrawnTracks, draw_tracks, track_colors

_TRUTH = "annotation"
_RANKED_BY = "average delta"


@dataclass(frozen=True)
class ShownVideo:
    """A video that can be looked at.

    Attributes:
        frames: (T, H, W, 3).
        tracks: The true tracks first, then those of encoders, by the title of their pictures.
    """

    frames: Pixels
    tracks: Mapping[str, DrawnTracks]

    def pictures(self, index: int) -> dict[str, Pixels]:
        """Frame ``index`` with the tracks so far, by title."""
        return {title: draw_tracks(self.frames[index], drawn, index) for title, drawn in self.tracks.items()}


def extreme_videos(per_video: pd.DataFrame, config: PointTrackingConfig) -> dict[str, str]:
    """The best and, if it is another one, the worst video of the first encoder.

    Returns:
        What it is (``best``, ``worst``), by the video's id.
    """
    first = per_video["encoder"].iloc[0]
    own = per_video[(per_video["queries"] == config.queries[0]) & (per_video["encoder"] == first)]
    ordered = own.sort_values(_RANKED_BY, ascending=False, kind="stable")["video"].tolist()
    return {ordered[0]: "best"} | ({ordered[-1]: "worst"} if ordered[-1] != ordered[0] else {})


def track_sheet(
    rows: VideoRows, tracks: Parts, per_video: pd.DataFrame, config: PointTrackingConfig, columns: int
) -> Image:
    """True and found tracks in the best and the worst video of the first encoder.

    Args:
        rows: The videos that can be evaluated, by id.
        tracks: What was found by all encoders.
        per_video: Measures of encoders and videos.
        config: Which queries; the first way to ask is shown.
        columns: Frames of each video.
    """
    shown = []
    for name, kind in extreme_videos(per_video, config).items():
        video = shown_video(name, rows, tracks, per_video, config)
        numbers = np.unique(np.linspace(0, len(video.frames) - 1, columns).round().astype(int)).tolist()
        by_frame = [video.pictures(number) for number in numbers]
        pictures = {title: [frame[title] for frame in by_frame] for title in video.tracks}
        shown.append((f"{kind}: {name}", numbers, pictures))
    first = per_video["encoder"].iloc[0]
    return comparison_sheet(
        shown, f"points: best and worst video of {first} (average delta in %; rings: found to be hidden)"
    )


def track_films(
    rows: VideoRows, tracks: Parts, per_video: pd.DataFrame, config: PointTrackingConfig
) -> list[Pixels]:
    """Frames (T, H, W, 3) of the best and the worst video of the first encoder, beside the truth."""
    names = list(extreme_videos(per_video, config))
    films = []
    for name in (names[0], names[-1]):
        video = shown_video(name, rows, tracks, per_video, config)
        films.append(np.stack([side_by_side(video.pictures(index)) for index in range(len(video.frames))]))
    return films


def shown_video(
    name: str, rows: VideoRows, tracks: Parts, per_video: pd.DataFrame, config: PointTrackingConfig
) -> ShownVideo:
    """A video with its true tracks and those of all encoders, with their scores in the titles."""
    video, mode = read_point_video(rows[name]), config.queries[0]
    queries = point_queries(mode, video.occluded, config.query_stride)
    _, kept = np.unique(queries.points, return_index=True)  # of several queries for one point the first
    points, visible = video.points[queries.points[kept]], ~video.occluded[queries.points[kept]]
    colors = track_colors(queries.positions(video.points)[kept])
    drawn = {_TRUTH: DrawnTracks(points, visible, visible, colors)}
    own_frame = np.arange(len(video.frames)) == queries.frames[kept, None]
    followed = queries.evaluated(len(video.frames))[kept] | own_frame
    scores = per_video[(per_video["queries"] == mode) & (per_video["video"] == name)]
    for row in scores[scores["encoder"] != STILL].to_dict("records"):
        found = read_point_tracks(tracks.path(f"{row['encoder']}/{name}"))[mode]
        seen = found.presence[kept] >= row["visible_above"]
        positions = found.positions[kept].astype(np.float64)
        drawn[f"{row['encoder']} {row[_RANKED_BY]:.1f}"] = DrawnTracks(positions, seen, followed, colors)
    return ShownVideo(video.frames, drawn)
