"""Nodes of the resize stage."""

from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.video_items import outcomes, video_items


def resize_videos(index: Rows, resize: ResizeConfig, fanout: FanOutConfig) -> Job:
    """One item per video; its digest covers the file and the parameters: what changed is redone."""
    from vidrep_pipelines.data.files.local_copy import resize_source
    from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX

    items = video_items(index, lambda path: (path, resize), resize)
    return Job("resize", resize_source, items, (CLIP_SUFFIX, INDEX_SUFFIX), fanout)


def index_resized(index: Rows, resized: Parts) -> Rows:
    """Every raw video with the outcome of resizing it."""
    from vidrep_pipelines.data.clips.index import build_resized_index

    return build_resized_index(index, outcomes(resized))
