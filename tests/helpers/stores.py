"""Small frame stores, made from arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.frame_store.assembly import assemble_shard
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.episode import (
    DamagedViewError,
    Episode,
    EpisodeView,
    without_controls,
)
from vidrep_pipelines.data.frame_store.plan import ShardRequest, plan_shards
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import Parts, run_job

SERIAL = FanOutConfig(engine="serial")
SMALL = FramesConfig(height=8, width=8, min_frames=2)
STORE = FrameStoreConfig(name="tiny", split=SplitConfig(validation=1, test=1))


@dataclass(frozen=True)
class ArrayEpisode:
    """An episode drawn from a seed: (T, 8, 8, 3) noise per camera, states and actions that count."""

    trajectory: str
    lengths: tuple[int, ...] = (4, 5)
    robot: str = "sawyer"
    controls: bool = True
    damage: str = ""
    seed: int = field(default=0)

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        states, actions = without_controls()
        if self.controls:
            T = max(self.lengths)
            states = np.arange(T * 5, dtype=np.float32).reshape(T, 5)
            actions = -np.arange((T - 1) * 4, dtype=np.float32).reshape(T - 1, 4)
        views = [
            EpisodeView(camera, length, self._pictures(camera)) for camera, length in enumerate(self.lengths)
        ]
        yield Episode(self.robot, views, states, actions)

    def pictures(self, camera: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self.seed, camera, *self.trajectory.encode()])
        return rng.integers(0, 256, (self.lengths[camera], 8, 8, 3), dtype=np.uint8)

    def _pictures(self, camera: int) -> Iterator[NDArray[np.uint8]]:
        yield from self.pictures(camera)
        if self.damage:
            raise DamagedViewError(self.damage)


def preparation_job(episodes: list[Any], config: FramesConfig = SMALL, fanout: FanOutConfig = SERIAL) -> Job:
    requests = [EpisodeRequest(episode, config) for episode in episodes]
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("episodes", prepare_episode, items, (".h5",), fanout)


def prepare(folder: Path, episodes: list[Any], config: FramesConfig = SMALL) -> Parts:
    return run_job(preparation_job(episodes, config), folder)


def assembly_job(requests: list[ShardRequest], fanout: FanOutConfig = SERIAL) -> Job:
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("shards", assemble_shard, items, (".h5",), fanout)


def shard_requests(parts: Parts, config: FrameStoreConfig = STORE) -> list[ShardRequest]:
    return plan_shards(parts.table, parts.folder, SMALL, config)
