"""Nodes that turn instructed robot clips, rendered or published, into one frame store."""

from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig
from vidrep_pipelines.data.sources.robot_data_sets.config import RobotDataSetsConfig
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


class RobotEpisodesConfig(RobotDataSetsConfig):
    """Where robot clips come from (``params:robot_episodes``): all that are named go into one store.

    In the store a view's ``robot`` is the name of its data set.
    """

    tabletop: TabletopEpisodesConfig = TabletopEpisodesConfig()
    """The sample world's tabletop, data sets ``tabletop`` and ``tabletop_held_out``."""

    with_tabletop: bool | None = None
    """Whether the tabletop is there. None: when nothing else is named."""

    sample_agent: AgentEpisodesConfig | None = None
    """Episodes of the sample world's arm, with instruction and masks, data set ``sample_agent``."""

    metaworld: MetaworldEpisodesConfig | None = None
    """Episodes of MetaWorld's scripted experts, data set ``metaworld``; needs the extra ``robots``."""

    dmc: DmcEpisodesConfig | None = None
    """Episodes of closed-form controllers in the DeepMind Control Suite, data set ``dmc``; needs the extra
    ``robots``."""

    frames: FramesConfig = FramesConfig(height=256, width=256, min_frames=2)
    """How frames are stored."""

    store: FrameStoreConfig = FrameStoreConfig(
        name="robot",
        split=SplitConfig(validation=0.05, test=0.05, each_robot=True),
        separate_robots=True,
    )
    """How the store is made of the episodes. The split is for data sets that do not state their own."""


def prepare_robot_episodes(config: RobotEpisodesConfig, fanout: FanOutConfig) -> Job:
    """One item per episode of all data sets that are named, rendered or read once, at its final size.

    Raises:
        InputError: A folder holds nothing of its layout, or two episodes have one name.
    """
    from vidrep_pipelines.data.frame_store.data_set import require_distinct
    from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
    from vidrep_pipelines.data.sources.robot_data_sets.listing import list_data_set

    requests = [EpisodeRequest(source, config.frames) for source in _rendered(config)]
    for layout, name, data_set in config.named():
        own = data_set.frames(config.frames)
        requests += [EpisodeRequest(source, own) for source in list_data_set(layout, name, data_set)]
    require_distinct([request.source for request in requests])
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
    others = {
        name: own
        for _, name, data_set in config.named()
        if (own := data_set.frames(config.frames)) != config.frames
    }
    requests = plan_shards(episodes.table, episodes.folder.absolute(), config.frames, config.store, others)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("shards", assemble_shard, items, (".h5",), fanout)


def report_robot_episodes(frames: FrameStore, episodes: Parts) -> tuple[dict[str, Any], Image, Film]:
    """Counts by data set and split, and what was left out; frames of a few episodes; a film of some."""
    from vidrep_pipelines.reporting.robot_episodes import clip_film, clip_report, clip_sheet

    left_out: dict[str, str] = dict(episodes.failed[["id", "error"]].itertuples(index=False))
    return (
        clip_report(frames, left_out, _damaged(episodes.table)),
        clip_sheet(frames),
        Film(clip_film(frames), _FILM_RATE),
    )


def _damaged(episodes: pd.DataFrame) -> dict[str, str]:
    damaged = episodes[(episodes["status"] == "ok") & (episodes["verdict"] == "damaged")]
    return dict(damaged[["id", "problems"]].itertuples(index=False))


def _rendered(config: RobotEpisodesConfig) -> list[EpisodeSource]:
    """What is simulated: agent, MetaWorld and DM Control if they are named, the tabletop if nothing is."""
    from vidrep_pipelines.data.frame_store.data_set import DataSetSource
    from vidrep_pipelines.data.sample_world.agent_episodes import agent_requests
    from vidrep_pipelines.data.sample_world.tabletop_source import list_tabletop
    from vidrep_pipelines.data.sources.dm_control.demonstrations import list_dmc
    from vidrep_pipelines.data.sources.metaworld.episodes import list_metaworld

    sources: list[EpisodeSource] = []
    if config.sample_agent is not None:
        annotated = config.sample_agent.model_copy(update={"annotations": True})
        requests = agent_requests(annotated, config.frames)
        sources += [DataSetSource(request.source, "sample_agent") for request in requests]
    if config.metaworld is not None:
        sources += list_metaworld(config.metaworld)
    if config.dmc is not None:
        sources += list_dmc(config.dmc)
    nothing_else = not sources and not config.named()
    if config.with_tabletop or (config.with_tabletop is None and nothing_else):
        sources += list_tabletop(config.tabletop)
    return sources
