"""Small stores of demonstrations: frames of even color, states and actions that count, instructions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.helpers.stores import assembly_job
from tests.models.vpp.video.spoken import SERIAL, SIZE, TEXTS
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeAnnotations, EpisodeView, Segment
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job

STATE, ACTION = 4, 3


@dataclass(frozen=True)
class Demonstration:
    """State t of episode n is 100 n + t in all its numbers, the action after it minus that.

    Frames have the color 10 * frame + camera.
    """

    number: int
    frames: int = 12
    robot: str = "tabletop"
    cameras: tuple[int, ...] = (0,)
    segments: tuple[Segment, ...] | None = None
    name: str | None = None
    split: str | None = None
    controls: bool = True

    @property
    def trajectory(self) -> str:
        return self.name or f"{self.robot}/{self.number:03d}"

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        text = TEXTS[self.number % 2]
        said = (Segment(0, self.frames, text),) if self.segments is None else self.segments
        views = [EpisodeView(camera, self.frames, self._pictures(camera)) for camera in self.cameras]
        T = self.frames if self.controls else 0
        count = 100 * self.number + np.arange(T, dtype=np.float32)[:, None]
        states, actions = np.repeat(count, STATE, 1), -np.repeat(count[:-1], ACTION, 1)
        yield Episode(self.robot, views, states, actions, annotations=EpisodeAnnotations(said))

    def _pictures(self, camera: int) -> Iterator[NDArray[np.uint8]]:
        for frame in range(self.frames):
            yield np.full((SIZE, SIZE, 3), 10 * frame + camera, np.uint8)


def demonstration_store(
    folder: Path, episodes: Sequence[Demonstration], validation: int = 0, shard_mebibytes: int = 64
) -> FrameStore:
    frames = FramesConfig(height=SIZE, width=SIZE, min_frames=1)
    requests = [EpisodeRequest(episode, frames) for episode in episodes]
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("episodes", prepare_episode, items, (".h5",), SERIAL), folder / "episodes")
    assert set(parts.table["status"]) == {"ok"}, parts.table["error"]
    split = SplitConfig(validation=validation, test=0)
    config = FrameStoreConfig(
        name="shown", split=split, separate_robots=True, shard_mebibytes=shard_mebibytes
    )
    planned = plan_shards(parts.table, parts.folder, frames, config)
    shards = run_job(assembly_job(planned), folder / "store")
    write_store_manifest(folder / "store", shards.ids)
    return FrameStore(folder / "store")
