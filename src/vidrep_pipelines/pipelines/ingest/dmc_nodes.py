"""Nodes that collect or read episodes and turn them into a frame store."""

from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from PIL.Image import Image
from pydantic import model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.config import ControlConfig
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import FoldersConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import


class DmcConfig(FrozenConfig):
    """Where episodes come from (``params:dmc``): what is set of these two, else ``sample_agent``."""

    replay_buffer: UserPath | None = None
    """Folder of replay buffers in the layout of V-D4RL, ``.hdf5`` or ``.npz``, at any depth."""

    control: ControlConfig | None = None
    """Episodes of the DeepMind Control Suite (extra ``robots``), collected here."""

    frames: FramesConfig = FramesConfig(height=84, width=84)
    """How frames are stored."""

    store: FrameStoreConfig = FrameStoreConfig(name="dmc", split=SplitConfig(validation=0.1, test=0.1))
    """How the store is made of the episodes; the split is by episode."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.replay_buffer is not None and self.control is not None:
            raise ValueError(
                "dmc.replay_buffer and dmc.control are both set. Remedy: set one of them to null"
            )
        return self


_FILM_RATE = 12
_WEEK = 7 * 24 * 3600.0  # seconds


def list_replay_buffers(dmc: DmcConfig) -> pd.DataFrame:
    """The files below ``dmc.replay_buffer``; none when it is not set."""
    from vidrep_pipelines.data.sources.replay_buffer import files as replay_buffer_files

    if dmc.replay_buffer is None:
        return pd.DataFrame(columns=replay_buffer_files.FILE_COLUMNS)
    return replay_buffer_files.list_buffers(dmc.replay_buffer)


def read_buffers(listing: pd.DataFrame, fanout: FanOutConfig) -> Job:
    """One row per replay buffer: its episodes and sizes, or why it cannot be read."""
    from vidrep_pipelines.common.digest import digest_of
    from vidrep_pipelines.data.sources.replay_buffer.files import FILE_COLUMNS, read_facts_item

    rows = listing[FILE_COLUMNS].itertuples(index=False, name=None)
    items = [Item(name, path, digest_of(size, time)) for name, path, size, time in rows]
    return Job("replay buffers", read_facts_item, items, (), fanout)


def train_policy(dmc: DmcConfig, folders: FoldersConfig, fanout: FanOutConfig) -> Job:
    """One item if a behavior of ``dmc.control`` acts by the policy that is trained here; else none."""
    from vidrep_pipelines.data.sources.dm_control.training import policy_requests, train_policy_item

    folder = folders.models / "dmc_policy_training"
    requests = [] if dmc.control is None else policy_requests(dmc.control, folder)
    items = [Item(request.id, request, request.digest) for request in requests]
    patient = fanout.model_copy(update={"deadline_seconds": _WEEK, "retry_failed": True})
    return Job("policy", train_policy_item, items, (".safetensors", ".json"), patient)


def prepare_dmc_episodes(
    listing: pd.DataFrame,
    buffers: Parts,
    policy: Parts,
    dmc: DmcConfig,
    agent: AgentEpisodesConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per episode: read, simulated or rendered once, its frames at their final size."""
    from vidrep_pipelines.data.frame_store.preparation import prepare_episode

    if dmc.replay_buffer is not None:
        requests = _buffered(listing, buffers, dmc)
    elif dmc.control is not None:
        requests = _simulated(policy, dmc)
        # What fails here does so because something is not installed: once it is, episodes are to be made.
        fanout = fanout.trying_again()
    else:
        requests = _rendered(agent, dmc.frames)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("episodes", prepare_episode, items, (".h5",), fanout)


def assemble_dmc_frames(episodes: Parts, dmc: DmcConfig, fanout: FanOutConfig) -> Job:
    """One item per shard of the store, dealt to train, validation and test by episode."""
    from vidrep_pipelines.common.errors import InputError
    from vidrep_pipelines.data.frame_store.assembly import assemble_shard
    from vidrep_pipelines.data.frame_store.plan import plan_shards

    if not episodes.ids:
        first = episodes.failed.iloc[0]
        raise InputError(f"None of {len(episodes.failed)} episodes could be prepared: {first['error']}")
    requests = plan_shards(episodes.table, episodes.folder.absolute(), dmc.frames, dmc.store)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("shards", assemble_shard, items, (".h5",), fanout)


def report_episodes(
    frames: FrameStore, buffers: Parts, episodes: Parts
) -> tuple[dict[str, Any], Image, Film]:
    """Returns by behavior and what was left out; frames of a few episodes; a film of some."""
    from vidrep_pipelines.reporting.episodes import episode_film, episode_report, episode_sheet

    left_out = pd.concat([parts.failed[["id", "error"]] for parts in (buffers, episodes)])
    report = episode_report(frames, dict(left_out.itertuples(index=False)))
    return report, episode_sheet(frames), Film(episode_film(frames), _FILM_RATE)


def _buffered(listing: pd.DataFrame, buffers: Parts, dmc: DmcConfig) -> "list[EpisodeRequest]":
    from vidrep_pipelines.data.sources.replay_buffer.files import buffer_requests

    return buffer_requests(listing, buffers.table, dmc.frames)


def _simulated(policy: Parts, dmc: DmcConfig) -> "list[EpisodeRequest]":
    from vidrep_pipelines.common.errors import InputError
    from vidrep_pipelines.data.sources.dm_control.episodes import control_requests

    assert dmc.control is not None
    for name, error in policy.failed[["id", "error"]].itertuples(index=False):
        raise InputError(f"The policy of {name} could not be trained: {error}")
    trained = policy.path(policy.ids[0], ".safetensors").absolute() if policy.ids else None
    return control_requests(dmc.control, dmc.frames, trained)


def _rendered(agent: AgentEpisodesConfig, frames: FramesConfig) -> "list[EpisodeRequest]":
    from vidrep_pipelines.data.sample_world.agent_episodes import agent_requests

    return agent_requests(agent, frames)
