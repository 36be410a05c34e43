"""Small stores of episodes in which a robot is told what to do, and latents beside their frames."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.helpers.stores import assembly_job
from tests.models.vpp.video.codecs import publish_linear
from tests.models.vpp.video.tiny import CONFIG, UNET
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.arrays import ArraySpec, array_requests, array_shard
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
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.vpp.video.codec import Codec, load_codec, to_pictures
from vidrep_pipelines.models.vpp.video.task import VideoTask

SIZE, CHANNELS, GRID = 16, 6, 4
SERIAL = FanOutConfig(engine="serial")
TEXTS = ("push the red cup", "lift the blue ball")


@dataclass(frozen=True)
class SpokenEpisode:
    """Frames of even color: camera * 100 + number of the frame, as (T, 16, 16, 3) uint8."""

    trajectory: str
    frames: int = 10
    robot: str = "tabletop"
    cameras: int = 1
    segments: tuple[Segment, ...] | None = None

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        said = (Segment(0, self.frames, TEXTS[0]),) if self.segments is None else self.segments
        views = [
            EpisodeView(camera, self.frames, self._pictures(camera))
            for camera in range(3, 3 + self.cameras)  # numbers need not begin at 0
        ]
        yield Episode(self.robot, views, *without_controls(), annotations=EpisodeAnnotations(said))

    def _pictures(self, camera: int) -> Iterator[NDArray[np.uint8]]:
        for frame in range(self.frames):
            yield np.full((SIZE, SIZE, 3), 100 * (camera - 3) + frame, np.uint8)


def spoken_store(folder: Path, episodes: Sequence[SpokenEpisode], validation: int = 0) -> FrameStore:
    frames = FramesConfig(height=SIZE, width=SIZE, min_frames=1)
    requests = [EpisodeRequest(episode, frames) for episode in episodes]
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("episodes", prepare_episode, items, (".h5",), SERIAL), folder / "episodes")
    assert set(parts.table["status"]) == {"ok"}
    config = FrameStoreConfig(name="spoken", split=SplitConfig(validation=validation, test=0))
    planned = plan_shards(parts.table, parts.folder, frames, config)
    shards = run_job(assembly_job(planned), folder / "store")
    write_store_manifest(folder / "store", shards.ids)
    return FrameStore(folder / "store")


def mean_latents(folder: Path, store: FrameStore, digest: str = "codec") -> FrameArrayStore:
    """Latents (6, 4, 4) float16, all equal to the frame's color."""
    spec = ArraySpec("latents", "float16", (CHANNELS, GRID, GRID))
    table = store.table
    for request in array_requests(store, [spec], digest):
        path = folder / f"{request.id}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        views = table[table["shard"] == f"{request.id}.h5"].sort_values("start")
        with array_shard(path, request) as writer:
            for view in views["id"]:
                colors = store.frames(view)[:, 0, 0, 0].astype(np.float16)
                writer.append("latents", np.tile(colors[:, None, None, None], (1, CHANNELS, GRID, GRID)))
    return FrameArrayStore(folder, store)


def codec_latents(folder: Path, store: FrameStore, codec: Codec) -> FrameArrayStore:
    """Latents of a codec, float16."""
    side = SIZE // codec.factor
    spec = ArraySpec("latents", "float16", (codec.channels, side, side))
    table = store.table
    for request in array_requests(store, [spec], codec.digest):
        path = folder / f"{request.id}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        views = table[table["shard"] == f"{request.id}.h5"].sort_values("start")
        with array_shard(path, request) as writer:
            for view in views["id"]:
                latents = codec.encode(to_pictures(torch.from_numpy(store.frames(view))))
                writer.append("latents", latents.numpy().astype(np.float16))
    return FrameArrayStore(folder, store)


MODEL = CONFIG.model_copy(update={"unet": UNET.model_copy(update={"latent_channels": CHANNELS})})
"""The tiny model, for latents of the linear codec."""


def make_video_task(folder: Path, *, pixels: bool = False, **fields: Any) -> VideoTask:
    """A task on six spoken episodes of two data sets, two of them held out."""
    episodes = [
        *(SpokenEpisode(f"tabletop/{number}", 8 + number) for number in range(4)),
        *(SpokenEpisode(f"xhand/{number}", 9, "xhand", 2) for number in range(2)),
    ]
    store = spoken_store(folder, episodes, validation=2)
    codec = publish_linear(store, folder)
    if not pixels:
        codec_latents(folder / "latents", store, load_codec(codec))
    settings: dict[str, Any] = {
        "frames": store.folder,
        "latents": None if pixels else folder / "latents",
        "codec": codec,
        "clips": {"frames": 4},
        "mixture": {"datasets": {"tabletop": 0.75, "xhand": 0.25}, "rules": {"tabletop": {"stride": 2}}},
        "model": MODEL.model_dump(),
        "sampling": {"steps": 2, "guidance": 1.0},
        "seed": 5,
    }
    return VideoTask.model_validate({**settings, **fields})
