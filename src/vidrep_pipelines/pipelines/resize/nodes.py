"""Nodes of the resize stage."""

import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts


def resize_videos(index: pd.DataFrame, resize: ResizeConfig, fanout: FanOutConfig) -> Job:
    """One item per video; its digest covers the file and the parameters: what changed is redone."""
    from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX, resize_item

    files = zip(index["id"], index["path"], index["bytes"], index["mtime_ns"], strict=True)
    items = [
        Item(id=clip, payload=(path, resize), digest=digest_of(resize, size, mtime_ns))
        for clip, path, size, mtime_ns in files
    ]
    return Job("resize", resize_item, items, (CLIP_SUFFIX, INDEX_SUFFIX), fanout)


def index_resized(index: pd.DataFrame, resized: Parts) -> pd.DataFrame:
    """Every raw video with the outcome of resizing it."""
    from vidrep_pipelines.data.index import build_resized_index

    return build_resized_index(index, resized.table)
