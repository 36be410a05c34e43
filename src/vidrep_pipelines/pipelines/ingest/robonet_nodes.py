"""Nodes that turn RoboNet files, or any videos, into a frame store."""

from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.clips.config import IngestConfig
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sources.robonet.config import RoboNetConfig
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.ingest.videos_nodes import list_raw_videos
from vidrep_pipelines.pipelines.video_items import video_items

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.sources.robonet.requests import RenderedVideo
else:
    FrameStore = Any  # its module takes seconds to import


def render_robonet_clips(
    robonet: RoboNetConfig, ingest: IngestConfig, world: SampleWorldConfig, fanout: FanOutConfig
) -> Job:
    """One item per rendered trajectory; none when RoboNet or a folder of videos is named."""
    from vidrep_pipelines.data.sample_world.clip_rendering import render_clip
    from vidrep_pipelines.data.sample_world.clips import CLIP_SUFFIXES, clip_requests

    requests = clip_requests(world) if robonet.root is None and ingest.root is None else []
    items = [Item(id=request.spec.id, payload=request, digest=request.digest) for request in requests]
    return Job("trajectories", render_clip, items, CLIP_SUFFIXES, fanout)


def list_robonet_files(
    clips: Parts, robonet: RoboNetConfig, ingest: IngestConfig
) -> tuple[Rows, pd.DataFrame]:
    """RoboNet's files if ``robonet.root`` is set, else videos; and what was left out, with reasons."""
    from vidrep_pipelines.data.files.listing import with_absolute_paths
    from vidrep_pipelines.data.sources.robonet.requests import list_trajectory_files

    if robonet.root is not None:
        listing = list_trajectory_files(robonet.root)
        left_out = pd.DataFrame(listing.unlisted, columns=["path", "reason"], dtype="string")
        left_out.insert(0, "id", left_out["path"])
        return with_absolute_paths(listing.videos, robonet.root), left_out
    if "://" in str(ingest.root):
        raise ConfigurationError(
            f"ingest.root: frames are prepared from local files, not from {ingest.root}. Remedy: mount it, "
            "or name the folder of clips that the resize stage made."
        )
    return list_raw_videos(clips, ingest)


def read_metadata(listing: Rows, robonet: RoboNetConfig, fanout: FanOutConfig) -> Job:
    """One row per file: RoboNet's metadata, or the facts of a video; or why it cannot be opened."""
    from vidrep_pipelines.data.files.local_copy import probe_source
    from vidrep_pipelines.data.sources.robonet.header import read_metadata_item

    if robonet.root is None:
        return Job("metadata", probe_source, video_items(listing, str), (), fanout)
    items = video_items(listing, lambda path: (path, robonet.sha256), "robonet", robonet.sha256)
    return Job("metadata", read_metadata_item, items, (), fanout)


def tabulate_metadata(listing: Rows, headers: Parts) -> pd.DataFrame:
    """The metadata of the readable files under their names, as RoboNet's own table has it."""
    from vidrep_pipelines.data.sources.robonet.header import metadata_table
    from vidrep_pipelines.data.tables.table import as_table

    rows = pd.concat([batch.to_pandas() for batch in as_table(listing).batches(["id", "path"])])
    return metadata_table(headers.table, rows.set_index("id")["path"])


def prepare_robonet_episodes(
    listing: Rows,
    headers: Parts,
    clips: Parts,
    robonet: RoboNetConfig,
    frames: FramesConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per trajectory: decoded once, its frames at their final size."""
    from vidrep_pipelines.data.frame_store.preparation import prepare_episode
    from vidrep_pipelines.data.sources.robonet.requests import trajectory_requests, video_requests
    from vidrep_pipelines.data.tables.table import as_table

    files = pd.concat([batch.to_pandas() for batch in as_table(listing).batches()])
    if robonet.root is None:
        requests = video_requests(files, set(headers.ids), _rendered(clips), frames)
        fanout = fanout.trying_again() if clips.ids else fanout
    else:
        requests = trajectory_requests(files, headers.table, robonet, frames)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("episodes", prepare_episode, items, (".h5",), fanout)


def assemble_store(
    episodes: Parts, frames: FramesConfig, views: FrameStoreConfig, fanout: FanOutConfig
) -> Job:
    """One item per shard of the store: selected views, dealt to train, validation and test."""
    from vidrep_pipelines.data.frame_store.assembly import assemble_shard
    from vidrep_pipelines.data.frame_store.plan import plan_shards

    requests = plan_shards(episodes.table, episodes.folder.absolute(), frames, views)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("shards", assemble_shard, items, (".h5",), fanout)


def report_store(store: FrameStore, headers: Parts, episodes: Parts) -> tuple[dict[str, Any], Image]:
    """What the store holds and what did not get into it; and a few frames of a few views."""
    from vidrep_pipelines.reporting.episodes import store_report, store_sheet

    failed = pd.concat([parts.failed[["id", "error"]] for parts in (headers, episodes)])
    usable = episodes.table[episodes.table["status"] == "ok"]
    damaged = usable.loc[usable["verdict"] == "damaged", ["id", "problems"]]
    left_out: dict[str, str] = dict(failed.itertuples(index=False))
    problems: dict[str, str] = dict(damaged.itertuples(index=False))
    return store_report(store, left_out, problems), store_sheet(store)


def _rendered(clips: Parts) -> "dict[str, RenderedVideo]":
    from vidrep_pipelines.data.sources.robonet.requests import RenderedVideo

    return {
        name: RenderedVideo(clips.path(name, ".mp4").absolute(), clips.path(name, ".h5").absolute(), digest)
        for name, digest in clips.digests.items()
    }
