"""Tiny tokenizers, and a store of tiny episodes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidrep_pipelines.data.frame_store.assembly import assemble_shard
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.episode import NO_CAMERA, Episode, EpisodeView
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig, VqganConfig
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.dino.config import TeacherConfig, TransformerConfig, VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig

SERIAL = FanOutConfig(engine="serial")
SOURCE, SIZE, ACTIONS = 20, 16, 3
NETWORK = VqganConfig(
    image_size=16,
    width=8,
    groups=4,
    width_multipliers=(1, 2),
    residual_blocks=1,
    attention_resolutions=(8,),
    latent_channels=8,
)
PIXELS = PixelConfig(size=SIZE, shift=2)
TRANSFORMER = TransformerConfig(dimension=16, depth=1, heads=2, mlp_ratio=2)
TEACHER = TeacherConfig(kind="random", network=TRANSFORMER, patch_size=4)


def vae_config(**codes: Any) -> VaeConfig:
    return VaeConfig(network=NETWORK, codes=CodebookConfig(size=16, dimension=4, **codes), pixels=PIXELS)


def musik_config(**changes: Any) -> MusikConfig:
    fields = {
        "network": NETWORK,
        "codes": CodebookConfig(size=16, dimension=4),
        "pixels": PIXELS,
        "dimension": 6,
        "frame_stack": 2,
        "action_dimension": ACTIONS,
        "hidden_dimension": 8,
    }
    return MusikConfig.model_validate({**fields, **changes})


def vqkd_config(**changes: Any) -> VqkdConfig:
    fields = {
        "pixels": PixelConfig(size=SIZE, shift=0, resize="bicubic", normalization="symmetric"),
        "patch_size": 4,
        "encoder": TRANSFORMER,
        "decoder": TRANSFORMER,
        "vocabulary": 16,
        "code_dimension": 4,
        "teacher_dimension": 16,
    }
    return VqkdConfig.model_validate({**fields, **changes})


def make_frames(count: int, seed: int = 0, size: int = SOURCE) -> torch.Tensor:
    """(N, 3, H, H) uint8."""
    return torch.randint(
        256, (count, 3, size, size), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )


@dataclass(frozen=True)
class TinyEpisode:
    """A bright square on noise, moved by the actions; the reward is where it stands."""

    trajectory: str
    length: int = 7
    fault: str = ""

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        rng = np.random.default_rng([*self.trajectory.encode()])
        actions = rng.uniform(-1, 1, (self.length - 1, ACTIONS)).astype(np.float32)
        places = np.clip(np.cumsum([8.0, *(4 * actions[:, 0])]), 0, SOURCE - 4).astype(int)
        frames = rng.integers(0, 64, (self.length, SOURCE, SOURCE, 3), dtype=np.uint8)
        for frame, place in zip(frames, places, strict=True):
            frame[6:10, place : place + 4] = 250
        rewards = places[1:].astype(np.float32) / SOURCE
        outcomes = np.stack([rewards, np.ones_like(rewards)], axis=1)
        if self.fault == "no rewards":
            outcomes = outcomes[:0]
        if self.fault == "no actions":
            actions = actions[:0]
        if self.fault == "bad action":
            actions[2, 1] = np.nan
        states = np.zeros((0, 0), np.float32)
        views = [EpisodeView(NO_CAMERA, self.length, iter(frames))]
        yield Episode("tiny", views, states, actions, outcomes)


def make_store(folder: Path, *faults: str, episodes: int = 5) -> FrameStore:
    """A store of tiny episodes; the first ones have the faults."""
    kinds = [*faults, *[""] * (episodes - len(faults))]
    sources = [TinyEpisode(f"tiny_{number}", 7 + number % 2, kind) for number, kind in enumerate(kinds)]
    frames = FramesConfig(height=SOURCE, width=SOURCE, min_frames=2)
    requests = [EpisodeRequest(source, frames) for source in sources]
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("episodes", prepare_episode, items, (".h5",), SERIAL), folder / "episodes")
    assert list(parts.table["status"]) == ["ok"] * episodes
    config = FrameStoreConfig(name="tiny", split=SplitConfig(validation=1, test=0))
    planned = plan_shards(parts.table, parts.folder, frames, config)
    shards_done = run_job(
        Job("shards", assemble_shard, [Item(r.id, r, r.digest) for r in planned], (".h5",), SERIAL),
        folder / "store",
    )
    write_store_manifest(folder / "store", shards_done.ids)
    return FrameStore(folder / "store")
