"""Items of CALVIN, two pictures and ten actions: ours, as the published loader reads them, memory maps."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.random_reads import MemoryMap, compare_random_reads
from benchmarks.reference.calvin_items_published import published_calvin_item
from benchmarks.timing import Result
from vidrep_pipelines.data.frame_store.assembly import assemble_shard
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig, SplitConfig
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sources.calvin.listing import list_calvin_episodes
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.dataset import FrameObservations, PolicyItems
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable
from vidrep_pipelines.models.vpp.policy.items_config import PUBLISHED_ITEM_RULES, PolicyItemsConfig

SEGMENTS, STEPS, CHUNK = 8, 40, 10
STARTS = STEPS - 21
FRAMES = FramesConfig(height=256, width=256, min_frames=2, resize="antialiased")
READS, ROUNDS = 20, 9
SERIAL = FanOutConfig(engine="serial")
HOW = (
    f"CPU time of the pictures of two cameras, 256x256x3 uint8, and {CHUNK} actions, from "
    f"{SEGMENTS} segments of {STEPS} steps of 200x200 and 84x84 pixels, page cache warm, "
    f"one process, {READS} random reads per round, interleaved, medians of {ROUNDS} "
    "rounds; results equal; ours: a whole sample; reference: "
    f"{CHUNK} archives of a time step are read for every item, and the pictures of the first are resized"
)


class Layouts(NamedTuple):
    """The same items three times."""

    ours: PolicyItems
    published: Path
    pictures: NDArray[np.uint8]
    """(N, 2, 256, 256, 3), a memory map."""
    actions: NDArray[np.float32]
    """(N, 7), a memory map."""


def run() -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as name:
        layouts = _write(Path(name))
        for read in (_sample, _stored, _mapped):
            for found, expected in zip(read(layouts, 3, 5), _published(layouts, 3, 5), strict=True):
                assert torch.equal(found, expected), read
        memory_map = MemoryMap(
            lambda segment, start: _mapped(layouts, segment, start),
            "memory maps of all pictures and of all actions, kept open; against it, ours without the making "
            "of a sample: pictures by view and frame, and actions",
            lambda segment, start: _stored(layouts, segment, start),
        )
        result = compare_random_reads(
            lambda segment, start: _sample(layouts, segment, start),
            lambda segment, start: _published(layouts, segment, start),
            memory_map,
            items=SEGMENTS,
            starts=STARTS,
            reads=READS,
            rounds=ROUNDS,
            unit="microseconds per item",
        )
    result["how"] = HOW
    return {"calvin_items": result}


def _sample(layouts: Layouts, segment: int, start: int) -> tuple[Tensor, Tensor]:
    item = layouts.ours[0, segment * STARTS + start]
    return item["frames"], item["actions"]


def _stored(layouts: Layouts, segment: int, start: int) -> tuple[Tensor, Tensor]:
    store, pictures = layouts.ours.items.store, np.empty((2, FRAMES.height, FRAMES.width, 3), np.uint8)
    view = 2 * segment
    for camera in range(2):
        store.picture_into(pictures[camera], view + camera, start)
    actions = store.actions_at(view, slice(start, start + CHUNK))
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(actions)


def _mapped(layouts: Layouts, segment: int, start: int) -> tuple[Tensor, Tensor]:
    row = segment * STEPS + start
    pictures, actions = np.array(layouts.pictures[row]), np.array(layouts.actions[row : row + CHUNK])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(actions)


def _published(layouts: Layouts, segment: int, start: int) -> tuple[Tensor, Tensor]:
    return published_calvin_item(layouts.published, segment * STEPS + start, CHUNK, FRAMES)


def _write(folder: Path) -> Layouts:
    """CALVIN's own files, the store that they are read into, and arrays of the same."""
    release = folder / "release/training"
    _write_release(release)
    store = _store(folder, release.parent)
    assert len(store) == 2 * SEGMENTS
    pictures = np.stack([store.frames(view) for view in store.ids])
    by_step = pictures.reshape(SEGMENTS, 2, STEPS, *pictures.shape[2:]).swapaxes(1, 2)
    np.save(folder / "pictures.npy", by_step.reshape(-1, *by_step.shape[2:]))
    steps = [np.load(path)["rel_actions"] for path in sorted(release.glob("episode_*.npz"))]
    np.save(folder / "actions.npy", np.stack(steps).astype(np.float32))
    config = PolicyItemsConfig(data_sets=("calvin",), rule=PUBLISHED_ITEM_RULES["calvin"])
    items = PolicyItems(PolicyItemTable(store, config), FrameObservations(store), ActionCoding(gripper=True))
    assert len(items) == SEGMENTS * STARTS
    mapped = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pictures", "actions"))
    return Layouts(items, release, *mapped)


def _write_release(folder: Path) -> None:
    """Compressed archives; the pictures are waves with some noise, which packs about as real ones do."""
    rng = np.random.default_rng(0)
    (folder / "lang_annotations").mkdir(parents=True)
    for step in range(SEGMENTS * STEPS):
        arrays = {
            "rgb_static": _picture(200, step, rng),
            "rgb_gripper": _picture(84, step, rng),
            "rel_actions": rng.uniform(-1, 1, 7),
            "robot_obs": rng.normal(size=15),
        }
        np.savez_compressed(folder / f"episode_{step:07d}.npz", **arrays)  # type: ignore[arg-type]
    pairs = [(first, first + STEPS - 1) for first in range(0, SEGMENTS * STEPS, STEPS)]
    language = {"ann": ["open the drawer"] * SEGMENTS, "task": ["open_drawer"] * SEGMENTS}
    content = {"language": language, "info": {"indx": pairs}}
    np.save(folder / "lang_annotations/auto_lang_ann.npy", content, allow_pickle=True)  # type: ignore[arg-type]


def _picture(side: int, step: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    y, x, c = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    waves = 128 + 90 * np.sin(x / 17 + step / 5 + c) * np.cos(y / 23 - c)
    return np.clip(waves + rng.normal(scale=2, size=waves.shape), 0, 255).astype(np.uint8)


def _store(folder: Path, release: Path) -> FrameStore:
    requests = [EpisodeRequest(source, FRAMES) for source in list_calvin_episodes(release)]
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("episodes", prepare_episode, items, (".h5",), SERIAL), folder / "episodes")
    config = FrameStoreConfig(name="calvin", split=SplitConfig(validation=0, test=0))
    shards = [Item(one.id, one, one.digest) for one in plan_shards(parts.table, parts.folder, FRAMES, config)]
    done = run_job(Job("shards", assemble_shard, shards, (".h5",), SERIAL), folder / "store")
    write_store_manifest(folder / "store", done.ids)
    return FrameStore(folder / "store")
