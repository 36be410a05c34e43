"""Nodes of the ingest stage."""

import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.config import IngestConfig
from vidrep_pipelines.data.sources.sample_world.config import SampleWorldConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts


def render_sample_world(ingest: IngestConfig, world: SampleWorldConfig, fanout: FanOutConfig) -> Job:
    """One item per clip of the sample world; none when the user named a folder of videos."""
    from vidrep_pipelines.data.sources.sample_world.clip_rendering import render_clip
    from vidrep_pipelines.data.sources.sample_world.clips import clip_requests

    requests = clip_requests(world) if ingest.root is None else []
    items = [Item(id=request.spec.id, payload=request, digest=request.digest) for request in requests]
    return Job("sample world", render_clip, items, (".mp4", ".h5"), fanout)


def list_raw_videos(sample_world: Parts, ingest: IngestConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The video files on disk with their class names, and those that the annotations do not know."""
    from vidrep_pipelines.data.listing import list_videos
    from vidrep_pipelines.data.sources.kinetics import assign_classes, read_annotations

    root = (sample_world.folder if ingest.root is None else ingest.root).absolute()
    listing = list_videos(root, ingest.suffixes)
    unknown = pd.DataFrame({"id": [], "path": [], "reason": []}, dtype="string")
    if ingest.annotations is not None:
        assignment = assign_classes(listing, read_annotations(ingest.annotations, ingest.split))
        listing, unknown = assignment.clips, assignment.unknown
    return listing.assign(path=f"{root.as_posix()}/" + listing["path"]), unknown


def probe_videos(listing: pd.DataFrame, fanout: FanOutConfig) -> Job:
    """One row per file: size, rate, codec, rotation, or why it cannot be opened."""
    from vidrep_pipelines.data.video.items import probe_item

    files = zip(listing["id"], listing["path"], listing["bytes"], listing["mtime_ns"], strict=True)
    items = [
        Item(id=clip, payload=path, digest=digest_of(size, mtime_ns)) for clip, path, size, mtime_ns in files
    ]
    return Job("probe", probe_item, items, (), fanout)


def build_index(listing: pd.DataFrame, probes: Parts) -> pd.DataFrame:
    """The typed video index."""
    from vidrep_pipelines.data.index import build_video_index

    return build_video_index(listing, probes.table)
