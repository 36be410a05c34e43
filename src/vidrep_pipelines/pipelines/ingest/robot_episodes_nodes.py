"""Nodes that turn instructed robot clips, rendered or published, into one frame store."""

from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.episode import EpisodeSource
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    EpisodeSource = FrameStore = Any  # their modules take seconds to import

_FILM_RATE = 8


class RobotEpisodesConfig(FrozenConfig):
    """Where robot clips come from (``params:robot_episodes``): all that are named go into one store.

    In the store a view's ``robot`` is the name of its data set.
    """

    tabletop: TabletopEpisodesConfig = TabletopEpisodesConfig()
    """The sample world's tabletop, data sets ``tabletop`` and ``tabletop_held_out``."""

    with_tabletop: bool | None = None
    """Whether the tabletop is there. None: when nothing else is named."""

    sample_agent: AgentEpisodesConfig | None = None
    """Episodes of the sample world's arm, with instruction and masks, data set ``sample_agent``."""

    frames: FramesConfig = FramesConfig(height=256, width=256, min_frames=2)
    """How frames are stored."""

    store: FrameStoreConfig = FrameStoreConfig(
        name="robot",
        split=SplitConfig(validation=0.05, test=0.05, each_robot=True),
        separate_robots=True,
    )
    """How the store is made of the episodes. The split is for data sets that do not state their own."""


def list_robot_episodes(config: RobotEpisodesConfig) -> list[EpisodeSource]:
    """The episodes of all data sets that are named, data set by data set.

    Raises:
        InputError: A folder holds nothing of its layout, or two episodes have one name.
    """
    from vidrep_pipelines.data.frame_store.data_set import require_distinct
    from vidrep_pipelines.data.sample_world.tabletop_source import list_tabletop

    sources: list[EpisodeSource] = []
    if config.sample_agent is not None:
        sources += _agent_episodes(config.sample_agent)
    if config.with_tabletop or (config.with_tabletop is None and not sources):
        sources += list_tabletop(config.tabletop)
    require_distinct(sources)
    return sources


def prepare_robot_episodes(config: RobotEpisodesConfig, fanout: FanOutConfig) -> Job:
    """One item per episode: rendered or read once, its frames at their final size."""
    from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode

    requests = [EpisodeRequest(source, config.frames) for source in list_robot_episodes(config)]
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("episodes", prepare_episode, items, (".h5",), fanout)


def assemble_robot_frames(episodes: Parts, config: RobotEpisodesConfig, fanout: FanOutConfig) -> Job:
    """One item per shard of the store; each data set has shards of its own."""
    from vidrep_pipelines.common.errors import InputError
    from vidrep_pipelines.data.frame_store.assembly import assemble_shard
    from vidrep_pipelines.data.frame_store.plan import plan_shards

    if not episodes.ids:
        first = episodes.failed.iloc[0]
        raise InputError(f"None of {len(episodes.failed)} episodes could be prepared: {first['error']}")
    requests = plan_shards(episodes.table, episodes.folder.absolute(), config.frames, config.store)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("shards", assemble_shard, items, (".h5",), fanout)


def report_robot_episodes(frames: FrameStore, episodes: Parts) -> tuple[dict[str, Any], Image, Film]:
    """Counts by data set and split, and what was left out; frames of a few episodes; a film of some."""
    from vidrep_pipelines.reporting.episodes import episode_film
    from vidrep_pipelines.reporting.robot_episodes import clip_report, clip_sheet

    left_out: dict[str, str] = dict(episodes.failed[["id", "error"]].itertuples(index=False))
    return (
        clip_report(frames, left_out, _damaged(episodes.table)),
        clip_sheet(frames),
        Film(episode_film(frames), _FILM_RATE),
    )


def _damaged(episodes: pd.DataFrame) -> dict[str, str]:
    damaged = episodes[(episodes["status"] == "ok") & (episodes["verdict"] == "damaged")]
    return dict(damaged[["id", "problems"]].itertuples(index=False))


def _agent_episodes(config: AgentEpisodesConfig) -> list[EpisodeSource]:
    from vidrep_pipelines.data.frame_store.data_set import DataSetSource
    from vidrep_pipelines.data.sample_world.agent_episodes import agent_requests

    annotated = config.model_copy(update={"annotations": True})
    requests = agent_requests(annotated, FramesConfig())
    return [DataSetSource(request.source, "sample_agent") for request in requests]
