"""Nodes that turn TAP-Vid, or a miniature of it, into a table of videos with tracks of points."""

from pathlib import Path

import pandas as pd

from vidrep_pipelines.data.label_sequences.config import PointsConfig
from vidrep_pipelines.data.sample_world.miniature import LabelMiniatureConfig, MiniatureRequest
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.ingest.label_sequences_nodes import labelled_clips


def request_points_miniature(
    clips: Parts, points: PointsConfig, miniature: LabelMiniatureConfig
) -> MiniatureRequest:
    """The clips in TAP-Vid's layout; none when there is a root."""
    from vidrep_pipelines.common.digest import digest_of
    from vidrep_pipelines.data.sample_world.point_tracks import TRACKING

    if points.root is not None:
        return MiniatureRequest("tapvid", (), miniature.quality, "")
    digest = digest_of(clips.content_digest, TRACKING)
    return MiniatureRequest("tapvid", labelled_clips(clips, miniature), miniature.quality, digest)


def unpack_points(miniature: Path, points: PointsConfig, fanout: FanOutConfig) -> Job:
    """One item: the pickle's videos, in a file from which each can be read by itself."""
    from vidrep_pipelines.common.digest import digest_of
    from vidrep_pipelines.data.files.foreign_listing import size_and_time
    from vidrep_pipelines.data.label_sequences.point_videos import POINT_VIDEOS_SUFFIX
    from vidrep_pipelines.data.sources.tapvid import read_tapvid, tapvid_file

    path = tapvid_file((miniature if points.root is None else points.root).absolute())
    item = Item(path.stem, path, digest_of(path.name, size_and_time(path)))
    return Job("points", read_tapvid, [item], (POINT_VIDEOS_SUFFIX,), fanout)


def index_points(release: Parts) -> pd.DataFrame:
    """The table of videos, those that cannot be evaluated included."""
    from vidrep_pipelines.data.label_sequences.point_videos import point_video_table

    tables = [point_video_table(release.path(name), release.digests[name]) for name in release.ids]
    return pd.concat(tables, ignore_index=True)
