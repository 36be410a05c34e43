"""Latents of 16 frames of an episode: ours, as the published data set reads them, and one memory map."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.random_reads import MemoryMap, compare_random_reads
from benchmarks.reference.vpp_published import published_item
from benchmarks.timing import Result
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.arrays import ArraySpec, array_requests, array_shard
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.shard import View, pixel_sums, write_shard
from vidrep_pipelines.data.frame_store.store import FrameStore

EPISODES, LENGTH, WINDOW, LATENT = 60, 60, 16, (4, 32, 32)
READS, ROUNDS = 100, 15
HOW = (
    f"CPU time of latents, 4x32x32 float32, of {WINDOW} consecutive frames of one of {EPISODES} episodes of "
    f"{LENGTH} frames, page cache warm, one process, {READS} random reads per round, interleaved, medians of "
    f"{ROUNDS} rounds; results equal; reference: the JSON and the whole .pt file of the "
    "episode are read for every item"
)


class Layouts(NamedTuple):
    """The same latents three times."""

    ours: FrameArrayStore
    published: Path
    memory_map: NDArray[np.float32]


def run() -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as name:
        layouts = _write(Path(name))
        views = layouts.ours.store.ids
        ours = _ours(layouts.ours)

        def published(episode: int, start: int) -> Tensor:
            annotation = layouts.published / f"annotation/train/{episode}.json"
            return published_item(layouts.published, annotation, 0, start, WINDOW)

        def mapped(episode: int, start: int) -> Tensor:
            first = episode * LENGTH + start
            return torch.from_numpy(np.array(layouts.memory_map[first : first + WINDOW]))

        assert len(views) == EPISODES
        for read in (published, mapped):
            assert torch.equal(ours(7, 5), read(7, 5))
        result = compare_random_reads(
            ours,
            published,
            MemoryMap(mapped, "one memory map of all latents, kept open"),
            items=EPISODES,
            starts=LENGTH - WINDOW + 1,
            reads=READS,
            rounds=ROUNDS,
            unit="microseconds per item",
        )
    result["how"] = HOW
    return {"video_latents": result}


def _ours(latents: FrameArrayStore) -> Callable[[int, int], Tensor]:
    return lambda episode, start: torch.from_numpy(
        latents.array_at("latents", episode, slice(start, start + WINDOW))
    )


def _write(folder: Path) -> Layouts:
    """A store of gray frames with latents beside them, the published layout, and one array."""
    values = np.random.default_rng(0).standard_normal((EPISODES * LENGTH, *LATENT), dtype=np.float32)
    store = _store(folder / "store")
    request = array_requests(store, [ArraySpec("latents", "float32", LATENT)], "model")[0]
    path = folder / "latents" / f"{request.id}.h5"
    path.parent.mkdir(parents=True)
    with array_shard(path, request) as writer:
        writer.append("latents", values)
    _write_published(folder / "published", values)
    np.save(folder / "all.npy", values)
    return Layouts(
        FrameArrayStore(folder / "latents", store),
        folder / "published",
        np.load(folder / "all.npy", mmap_mode="r"),
    )


def _store(folder: Path) -> FrameStore:
    nothing, gray = np.zeros((0, 0), np.float32), np.full((LENGTH, 8, 8, 3), 128, np.uint8)
    views = [
        View(f"bridge/train/{number:03d}", -1, "bridge", LENGTH, LENGTH, nothing, nothing, pixel_sums(gray))
        for number in range(EPISODES)
    ]
    shard = folder / "train/robot_train_00000.h5"
    shard.parent.mkdir(parents=True)
    zero = [0.0] * 3
    attributes = {
        "split": "train",
        "split_unit": "trajectory",
        "seed": 0,
        "mean": zero,
        "std": zero,
        "digest": "",
    }
    write_shard(shard, views, [gray] * EPISODES, (8, 8), attributes)
    write_store_manifest(folder, ["train/robot_train_00000"])
    return FrameStore(folder)


def _write_published(folder: Path, values: NDArray[np.float32]) -> None:
    """With 7 states and actions per frame in the annotation, as the real samples have."""
    rng = np.random.default_rng(1)
    (folder / "annotation/train").mkdir(parents=True)
    for episode, part in enumerate(np.split(values, EPISODES)):
        relative = f"latent_videos/train/{episode}/0.pt"
        (folder / relative).parent.mkdir(parents=True)
        torch.save(torch.from_numpy(part.copy()), folder / relative)
        label = {
            "texts": ["push the red cup to the left"],
            "latent_videos": [{"latent_video_path": relative}],
            "episode_id": episode,
            "video_length": LENGTH,
            "state": rng.standard_normal((LENGTH, 7)).tolist(),
            "action": rng.standard_normal((LENGTH - 1, 7)).tolist(),
        }
        (folder / f"annotation/train/{episode}.json").write_text(json.dumps(label))
