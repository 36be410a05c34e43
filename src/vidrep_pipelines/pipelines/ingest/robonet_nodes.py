"""Nodes that turn RoboNet files, or any videos, into a frame store."""

from pathlib import Path
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
    from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
else:
    FrameStore = Any  # its module takes seconds to import


def video_requests(
    files: pd.DataFrame, headers: Parts, clips: Parts, frames: FramesConfig
) -> "list[EpisodeRequest]":
    """One request per video that could be opened.

    Args:
        files: One row per file: id, class_name, path, bytes, mtime_ns, etag.
        headers: The results of the job that opened them.
        clips: Rendered clips: those among the files have their states and actions beside them.
        frames: How frames are prepared.

    Raises:
        ConfigurationError: No file could be opened.
    """
    from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest

    readable = files[files["id"].isin(set(headers.ids))]
    if readable.empty:
        raise ConfigurationError(
            f"None of {len(files)} videos can be opened; the table of failures in the log says why. Remedy: "
            "set ingest.root to a folder of videos."
        )
    rendered = dict(zip(clips.table["id"], clips.table["digest"], strict=True))
    return [
        EpisodeRequest(_episode(row, rendered.get(row["id"]), clips), frames)
        for row in readable.to_dict("records")
    ]


def _episode(row: dict[Any, Any], rendering: str | None, clips: Parts) -> "VideoEpisode":
    """What a rendered clip was made from identifies it, wherever it lies and whenever it was written."""
    from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode

    path = Path(row["path"])
    if rendering is not None and path == clips.path(row["id"], ".mp4").absolute():
        controls, stamp = clips.path(row["id"], ".h5").absolute(), rendering
    else:
        controls, stamp = None, row["etag"] or f"{row['bytes']}-{row['mtime_ns']}"
    return VideoEpisode(row["id"], path, robot=row["class_name"], controls=controls, stamp=stamp)


_SHEET_ROWS = 12


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
    from vidrep_pipelines.data.sources.robonet.requests import trajectory_requests
    from vidrep_pipelines.data.tables.table import as_table

    files = pd.concat([batch.to_pandas() for batch in as_table(listing).batches()])
    if robonet.root is None:
        requests = video_requests(files, headers, clips, frames)
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
    from vidrep_pipelines.reporting.clips import contact_sheet

    table = store.table
    groups = table.groupby(["split", "robot"], as_index=False)
    summary = groups.agg(
        trajectories=("trajectory", "nunique"), views=("id", "size"), frames=("frames", "sum")
    )
    failed = pd.concat([parts.failed[["id", "error"]] for parts in (headers, episodes)])
    usable = episodes.table[episodes.table["status"] == "ok"]
    report = {
        "size": [store.facts.height, store.facts.width],
        "mean": store.facts.mean,
        "std": store.facts.std,
        "split_unit": store.facts.split_unit,
        "splits": summary.to_dict(orient="records"),
        "left_out": dict(failed.itertuples(index=False)),
        "damaged": dict(
            usable.loc[usable["verdict"] == "damaged", ["id", "problems"]].itertuples(index=False)
        ),
    }
    sheet = contact_sheet(
        table.assign(path=table["id"], class_name=table["robot"]),
        store.folder,
        lambda path, ranks: store.frames(path.relative_to(store.folder).as_posix(), ranks),
        rows=_SHEET_ROWS,
        heading=f"{len(table)} views, {int(table['frames'].sum())} frames",
    )
    return report, sheet
