"""A small frame store of patterns that drift, with instructions, as ``ingest_robot_clips`` makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.helpers.stores import SERIAL, assembly_job, preparation_job
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.episode import (
    Episode,
    EpisodeAnnotations,
    EpisodeView,
    Segment,
    without_controls,
)
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job


@dataclass(frozen=True)
class PatternEpisode:
    """Waves that drift to one side; what is said is the side."""

    number: int
    frames: int = 6
    side: int = 8
    robot: str = "tabletop"
    cameras: int = 1
    amplitude: int = 100

    @property
    def trajectory(self) -> str:
        return f"{self.robot}/push_{self.number:03d}"

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        views = [EpisodeView(c, self.frames, iter(self.pictures(c))) for c in range(self.cameras)]
        states, actions = without_controls()
        direction = "left" if self.number % 2 else "right"
        said = EpisodeAnnotations((Segment(0, self.frames, f"push {direction}"),), frames_per_second=10.0)
        yield Episode(self.robot, views, states, actions, annotations=said)

    def pictures(self, camera: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self.number, camera])
        phases, rates = rng.uniform(0, 6, 3), rng.uniform(0.2, 0.9, (3, 2))
        t, y, x = np.meshgrid(*(np.arange(n) for n in (self.frames, self.side, self.side)), indexing="ij")
        drift = t if self.number % 2 else -t
        waves = [np.sin(p + a * y + b * (x + drift)) for p, (a, b) in zip(phases, rates, strict=True)]
        return (128 + self.amplitude * np.stack(waves, -1)).astype(np.uint8)


def pattern_store(
    folder: Path,
    episodes: int = 8,
    frames: int = 6,
    side: int = 8,
    robots: tuple[str, ...] = ("tabletop",),
    cameras: int = 1,
    amplitude: int = 100,
) -> FrameStore:
    """The store, with one validation and one test episode in all."""
    sources = [
        PatternEpisode(number, frames, side, robot, cameras, amplitude)
        for robot in robots
        for number in range(episodes)
    ]
    size = FramesConfig(height=side, width=side, min_frames=2)
    parts = run_job(preparation_job(sources, size), folder / "episodes")
    split = SplitConfig(validation=len(robots), test=1)
    config = FrameStoreConfig(name="robot", split=split, shard_mebibytes=1)
    requests = plan_shards(parts.table, parts.folder, size, config)
    run_job(assembly_job(requests, SERIAL), folder / "store")
    write_store_manifest(folder / "store", [request.id for request in requests])
    return FrameStore(folder / "store")
