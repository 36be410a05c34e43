"""Nodes that turn releases of labelled videos, or miniatures of them, into tables of sequences."""

from pathlib import Path

import pandas as pd

from vidrep_pipelines.data.label_sequences.config import (
    DavisConfig,
    JhmdbConfig,
    PointsConfig,
    VipConfig,
)
from vidrep_pipelines.data.sample_world.miniature import (
    LabelMiniatureConfig,
    MiniatureClip,
    MiniatureRequest,
    ReleaseName,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts


def render_label_clips(
    davis: DavisConfig,
    jhmdb: JhmdbConfig,
    vip: VipConfig,
    points: PointsConfig,
    miniature: LabelMiniatureConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per clip of the miniatures; none when every release has a root."""
    from vidrep_pipelines.data.sample_world.clip_rendering import render_clip
    from vidrep_pipelines.data.sample_world.clips import CLIP_SUFFIXES, clip_requests

    needed = None in (davis.root, jhmdb.root, vip.root, points.root)
    requests = clip_requests(miniature.world) if needed else []
    items = [Item(id=request.spec.id, payload=request, digest=request.digest) for request in requests]
    return Job("clips with labels", render_clip, items, CLIP_SUFFIXES, fanout)


def request_davis_miniature(
    clips: Parts, davis: DavisConfig, miniature: LabelMiniatureConfig
) -> MiniatureRequest:
    """The clips in DAVIS' layout; none when there is a root."""
    return _miniature("davis", clips, miniature, davis.root)


def request_jhmdb_miniature(
    clips: Parts, jhmdb: JhmdbConfig, miniature: LabelMiniatureConfig
) -> MiniatureRequest:
    """The clips in JHMDB's layout; none when there is a root."""
    return _miniature("jhmdb", clips, miniature, jhmdb.root)


def request_vip_miniature(clips: Parts, vip: VipConfig, miniature: LabelMiniatureConfig) -> MiniatureRequest:
    """The clips in VIP's layout; none when there is a root."""
    return _miniature("vip", clips, miniature, vip.root)


def plan_davis_inspection(miniature: Path, davis: DavisConfig, fanout: FanOutConfig) -> Job:
    """One row per sequence: its facts, or why it cannot be used. Resizes it in RSP's protocol."""
    from vidrep_pipelines.data.sources.davis import davis_sequences, inspect_davis

    sequences = davis_sequences(_root(davis.root, miniature), davis)
    items = [Item(sequence.files.id, sequence, sequence.digest) for sequence in sequences]
    return Job("davis", inspect_davis, items, (), fanout)


def plan_jhmdb_inspection(miniature: Path, jhmdb: JhmdbConfig, fanout: FanOutConfig) -> Job:
    """One row per clip: its facts, or why it cannot be used."""
    from vidrep_pipelines.data.sources.jhmdb import inspect_jhmdb, jhmdb_sequences

    clips = jhmdb_sequences(_root(jhmdb.root, miniature), jhmdb)
    items = [Item(files.id, files, files.digest) for files in clips]
    return Job("jhmdb", inspect_jhmdb, items, (), fanout)


def plan_vip_inspection(miniature: Path, vip: VipConfig, fanout: FanOutConfig) -> Job:
    """One row per video: its facts, or why it cannot be used."""
    from vidrep_pipelines.data.sources.vip import inspect_vip, vip_sequences

    videos = vip_sequences(_root(vip.root, miniature), vip)
    items = [Item(files.id, files, files.digest) for files in videos]
    return Job("vip", inspect_vip, items, (), fanout)


def index_davis(inspection: Parts, miniature: Path, davis: DavisConfig) -> pd.DataFrame:
    """The table of sequences, those with errors included."""
    from vidrep_pipelines.data.label_sequences.sequence import build_sequence_table
    from vidrep_pipelines.data.sources.davis import davis_sequences

    good = set(inspection.ids)
    sequences = davis_sequences(_root(davis.root, miniature), davis)
    files = [sequence.evaluated for sequence in sequences if sequence.files.id in good]
    return build_sequence_table(inspection.table, files, inspection.folder)


def index_jhmdb(inspection: Parts, miniature: Path, jhmdb: JhmdbConfig) -> pd.DataFrame:
    """The table of clips, those with errors included."""
    from vidrep_pipelines.data.label_sequences.sequence import build_sequence_table
    from vidrep_pipelines.data.sources.jhmdb import jhmdb_sequences

    files = jhmdb_sequences(_root(jhmdb.root, miniature), jhmdb)
    return build_sequence_table(inspection.table, files, inspection.folder)


def index_vip(inspection: Parts, miniature: Path, vip: VipConfig) -> pd.DataFrame:
    """The table of videos, those with errors included."""
    from vidrep_pipelines.data.label_sequences.sequence import build_sequence_table
    from vidrep_pipelines.data.sources.vip import vip_sequences

    files = vip_sequences(_root(vip.root, miniature), vip)
    return build_sequence_table(inspection.table, files, inspection.folder)


def _miniature(
    release: ReleaseName, clips: Parts, config: LabelMiniatureConfig, root: Path | None
) -> MiniatureRequest:
    from vidrep_pipelines.common.digest import digest_of

    labelled = labelled_clips(clips, config) if root is None else ()
    content = clips.content_digest if root is None else ""
    return MiniatureRequest(release, labelled, config.quality, digest_of(content, config.quality))


def labelled_clips(clips: Parts, config: LabelMiniatureConfig) -> tuple[MiniatureClip, ...]:
    """The rendered clips, each with what it was rendered from."""
    from vidrep_pipelines.data.sample_world.clips import clip_requests

    requests = {request.spec.id: request for request in clip_requests(config.world)}
    return tuple(
        MiniatureClip(clip, clips.path(clip, ".mp4"), clips.path(clip, ".h5"), requests[clip])
        for clip in clips.ids
    )


def _root(root: Path | None, miniature: Path) -> Path:
    return (miniature if root is None else root).absolute()
