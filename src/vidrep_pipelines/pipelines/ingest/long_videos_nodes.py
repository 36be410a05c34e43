"""Nodes that turn releases of long videos, or the sample world, into a frame store and an index of labels."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from vidrep_pipelines.data.frame_store.config import FrameStoreConfig
from vidrep_pipelines.data.sources.long_videos.config import (
    FineGymConfig,
    LongVideosConfig,
    PennActionConfig,
    PouringConfig,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts

if TYPE_CHECKING:
    from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
    from vidrep_pipelines.data.sources.long_videos.event_cut import CutRequest
    from vidrep_pipelines.data.sources.long_videos.rendered import Labelling
    from vidrep_pipelines.data.sources.long_videos.video import LongVideos
else:
    LabelledVideos = Any  # its module takes seconds to import

# Kedro checks parameters against the classes in the signatures; this leaves that to the other nodes.
Config = TypeVar("Config", bound=LongVideosConfig)

_log = logging.getLogger(__name__)


def render_long_videos(config: Config, fanout: FanOutConfig) -> Job:
    """One item per clip of the sample world; none when there is a release."""
    from vidrep_pipelines.data.sample_world.clip_rendering import render_clip
    from vidrep_pipelines.data.sample_world.clips import CLIP_SUFFIXES, clip_requests

    requests = clip_requests(config.world) if config.root is None else []
    items = [Item(request.spec.id, request, request.digest) for request in requests]
    return Job("rendered activities", render_clip, items, CLIP_SUFFIXES, fanout)


def list_pouring_records(config: PouringConfig, fanout: FanOutConfig) -> Job:
    """One item per TFRecord file: where its records are, and which of them are corrupt."""
    from vidrep_pipelines.data.sources.long_videos.pouring import list_records, tfrecord_files

    files = [] if config.root is None or config.index else tfrecord_files(config.root.absolute())
    items = [Item(path.stem, path, _version(path)) for path in files]
    return Job("TFRecord files", list_records, items, (".json",), fanout)


def prepare_pouring(clips: Parts, records: Parts, config: PouringConfig, fanout: FanOutConfig) -> Job:
    """One item per video: its frames at their final size."""
    return _preparation("pouring", _pouring(clips, records, config), config, fanout)


def label_pouring(
    clips: Parts, records: Parts, prepared: Parts, config: PouringConfig
) -> tuple[LabelledVideos, pd.DataFrame]:
    """The index of the videos and their phases, and what was left out, with reasons."""
    return _labelled(_pouring(clips, records, config), prepared)


def prepare_penn_action(clips: Parts, config: PennActionConfig, fanout: FanOutConfig) -> Job:
    """One item per video of either split: its frames at their final size."""
    return _preparation("penn action", _penn_action(clips, config), config, fanout)


def label_penn_action(
    clips: Parts, prepared: Parts, config: PennActionConfig
) -> tuple[LabelledVideos, pd.DataFrame]:
    """The index of the videos and their phases, and what was left out, with reasons."""
    return _labelled(_penn_action(clips, config), prepared)


def cut_finegym_events(config: FineGymConfig, fanout: FanOutConfig) -> Job:
    """One item per event: a video of its own."""
    from vidrep_pipelines.data.sources.long_videos.event_cut import cut_event, cut_requests
    from vidrep_pipelines.data.sources.long_videos.finegym import release_events

    requests: list[CutRequest] = []
    if config.root is not None and not config.index:
        root = config.root.absolute()
        split_events, _ = release_events(root, config)
        requests, _ = cut_requests(split_events, config.raw_folder(root), config)
    items = [Item(request.event.name, request, request.digest) for request in requests]
    return Job("events", cut_event, items, (".mp4",), fanout)


def prepare_finegym(clips: Parts, events: Parts, config: FineGymConfig, fanout: FanOutConfig) -> Job:
    """One item per event: its frames at their final size."""
    return _preparation("finegym", _finegym(clips, events, config), config, fanout)


def label_finegym(
    clips: Parts, events: Parts, prepared: Parts, config: FineGymConfig
) -> tuple[LabelledVideos, pd.DataFrame]:
    """The index of the events and their classes, and what was left out, with reasons."""
    return _labelled(_finegym(clips, events, config), prepared)


def assemble_long_videos(
    prepared: Parts, labelled: LabelledVideos, config: Config, fanout: FanOutConfig
) -> Job:
    """One item per shard of the store, which holds the videos of the index."""
    from vidrep_pipelines.data.frame_store.assembly import assemble_shard
    from vidrep_pipelines.data.sources.long_videos.shards import plan_split_shards

    splits = dict(zip(labelled.table["id"], labelled.table["split"], strict=True))
    store = FrameStoreConfig(name="videos", shard_mebibytes=config.shard_mebibytes)
    requests = plan_split_shards(prepared.table, prepared.folder, splits, config.frames, store)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("shards", assemble_shard, items, (".h5",), fanout)


def _pouring(clips: Parts, records: Parts, config: PouringConfig) -> "LongVideos":
    from vidrep_pipelines.data.sources.long_videos.pouring import (
        PHASES,
        pouring_videos,
        split_of_file,
        tfrecord_files,
    )
    from vidrep_pipelines.data.sources.long_videos.published_index import IndexForm, indexed_videos
    from vidrep_pipelines.data.sources.long_videos.video import LeftOut, LongVideos

    if config.root is None:
        return _rendered(clips, config, "phases")
    root = config.root.absolute()
    if config.index:
        lists = {"train": "train.pkl", "validation": "val.pkl"}
        return indexed_videos(root, IndexForm(lists, (PHASES,), (), phases=True))
    errors = _errors(records)
    files = {path.stem: path for path in tfrecord_files(root)}
    listed = [
        (path, records.path(name), _version(path)) for name, path in files.items() if name not in errors
    ]
    videos = pouring_videos(listed)
    unread = [LeftOut(name, split_of_file(files[name]), error) for name, error in errors.items()]
    return LongVideos(videos.videos, [*unread, *videos.left_out])


def _penn_action(clips: Parts, config: PennActionConfig) -> "LongVideos":
    from vidrep_pipelines.data.sources.long_videos.penn_action import ACTIONS, PHASES, penn_action_videos
    from vidrep_pipelines.data.sources.long_videos.published_index import IndexForm, indexed_videos

    if config.root is None:
        return _rendered(clips, config, "phases")
    root = config.root.absolute()
    if config.index:
        lists = {"train": "train.pkl", "validation": "val.pkl"}
        return indexed_videos(root, IndexForm(lists, tuple(PHASES.values()), ACTIONS, phases=True))
    labels = config.phase_labels or root / "penn_action_labels"
    return penn_action_videos(root, labels.absolute())


def _finegym(clips: Parts, events: Parts, config: FineGymConfig) -> "LongVideos":
    from vidrep_pipelines.data.sources.long_videos.event_cut import cut_requests
    from vidrep_pipelines.data.sources.long_videos.finegym import finegym_videos, lists_of, release_events
    from vidrep_pipelines.data.sources.long_videos.published_index import IndexForm, indexed_videos
    from vidrep_pipelines.data.sources.long_videos.video import LeftOut, LongVideos

    if config.root is None:
        return _rendered(clips, config, "elements")
    root = config.root.absolute()
    if config.index:
        lists = {"train": f"gym{config.classes}_train_v1.0.pkl", "validation": f"gym{config.classes}_val.pkl"}
        lists |= {"additional": "additional_v1.0.pkl"} if config.additional else {}
        return indexed_videos(root, IndexForm(lists, (config.classes,), (), phases=False))
    split_events, left_out = release_events(root, config)
    left_out += cut_requests(split_events, config.raw_folder(root), config)[1]
    cuts = {name: (events.path(name), events.digests[name]) for name in events.ids}
    errors = _errors(events)
    left_out += [
        LeftOut(f"{split}/{event.name}", split, errors[event.name])
        for split, event in split_events
        if event.name in errors
    ]
    rate = config.event_frames_per_second
    labels = lists_of(root, config.classes)
    return LongVideos(finegym_videos(split_events, labels, cuts, config.classes, rate), left_out)


def _rendered(clips: Parts, config: LongVideosConfig, labelling: "Labelling") -> "LongVideos":
    from vidrep_pipelines.data.sources.long_videos.rendered import rendered_videos

    digests = clips.digests
    members = [(name, clips.path(name, ".mp4"), clips.path(name, ".h5"), digests[name]) for name in clips.ids]
    return rendered_videos(members, config.world_validation, labelling, config.world_test)


def _preparation(name: str, videos: "LongVideos", config: LongVideosConfig, fanout: FanOutConfig) -> Job:
    from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode

    requests = [EpisodeRequest(video.source, config.frames) for video in videos.named_once().videos]
    items = [Item(request.id, request, request.digest) for request in requests]
    # Rendered clips, cut events and lists of records are products of stages before.
    return Job(f"frames of {name}", prepare_episode, items, (".h5",), fanout.trying_again())


def _labelled(videos: "LongVideos", prepared: Parts) -> tuple[LabelledVideos, pd.DataFrame]:
    from vidrep_pipelines.data.sources.long_videos.labelling import label_videos, preparations

    labelled, left_out = label_videos(videos.named_once(), preparations(prepared.table))
    for row in left_out.head(5).itertuples():
        _log.warning("left out: %s: %s", row.id, row.reason)
    incomplete = labelled.table["absent_phases"].dropna()
    _log.info(
        "%d videos, %d left out; %d do not show every phase", len(labelled), len(left_out), len(incomplete)
    )
    return labelled, left_out


def _errors(parts: Parts) -> dict[str, str]:
    """Why items failed."""
    return dict(zip(parts.failed["id"], parts.failed["error"], strict=True))


def _version(path: Path) -> str:
    from vidrep_pipelines.data.files.foreign_listing import size_and_time

    size, time = size_and_time(path)
    return f"{size}-{time}"
