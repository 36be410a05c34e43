"""Nodes of the ingest stage."""

import pandas as pd

from vidrep_pipelines.data.clips.config import IngestConfig, KineticsConfig
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.video_items import outcomes, video_items


def render_sample_world(ingest: IngestConfig, world: SampleWorldConfig, fanout: FanOutConfig) -> Job:
    """One item per clip of the sample world; none when the user named a folder of videos."""
    from vidrep_pipelines.data.sample_world.clip_rendering import render_clip
    from vidrep_pipelines.data.sample_world.clips import clip_requests

    requests = clip_requests(world) if ingest.root is None else []
    items = [Item(id=request.spec.id, payload=request, digest=request.digest) for request in requests]
    return Job("sample world", render_clip, items, (".mp4", ".h5"), fanout)


def list_raw_videos(sample_world: Parts, ingest: IngestConfig) -> tuple[Rows, pd.DataFrame]:
    """The video files with their class names, and what was left out, with reasons."""
    from vidrep_pipelines.data.sources.kinetics.videos import list_classified_videos

    root = str(sample_world.folder) if ingest.root is None else ingest.root
    return list_classified_videos(root, ingest.suffixes, ingest.annotations, ingest.split, ingest.rows)


def unpack_archives(kinetics: KineticsConfig, fanout: FanOutConfig) -> Job:
    """One item per archive; one row of facts each, the clips go to ``kinetics.clips``."""
    from vidrep_pipelines.data.sources.kinetics.archives import find_archives, unpack_item

    items = [
        Item(archive.id, (archive.path, kinetics.clips / archive.id), archive.digest(kinetics.clips))
        for archive in find_archives(kinetics.archives)
    ]
    return Job("unpack", unpack_item, items, (), fanout)


def list_kinetics(archives: Parts, kinetics: KineticsConfig) -> tuple[Rows, pd.DataFrame]:
    """The unpacked clips with their class names, and what was left out, with reasons."""
    from vidrep_pipelines.data.sources.kinetics.videos import list_classified_videos

    del archives  # everything is unpacked before the clips are listed
    return list_classified_videos(kinetics.clips, (".mp4",), kinetics.annotations, kinetics.split)


def probe_videos(listing: Rows, fanout: FanOutConfig) -> Job:
    """One row per file: size, rate, codec, rotation, or why it cannot be opened."""
    from vidrep_pipelines.data.files.local_copy import probe_source

    return Job("probe", probe_source, video_items(listing, str), (), fanout)


def build_index(listing: Rows, probes: Parts) -> Rows:
    """The typed video index."""
    from vidrep_pipelines.data.clips.index import build_video_index

    return build_video_index(listing, outcomes(probes))
