"""Random reads of a data set of small clips: a frame store against one .npy per video, and a memory map."""

import tempfile
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.random_reads import MemoryMap, Read, compare_random_reads
from benchmarks.reference.vqvae_data_published import published_clip, published_image
from benchmarks.timing import Result
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.shard import View, pixel_sums, write_shard
from vidrep_pipelines.data.frame_store.store import FrameStore

CLIPS, LENGTH, SIZE, WINDOW = 300, 31, 64, 12
READS, ROUNDS = 200, 41
HOW = (
    f"CPU time of {{what}} of {CLIPS} clips of {LENGTH} frames of {SIZE}x{SIZE} with sensor noise, page "
    f"cache warm, one process, {READS} random reads per round, interleaved, medians of {ROUNDS} rounds; "
    "reference: {reference}"
)


def run() -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as name:
        arrays, store = _write(Path(name))
        everything = _mapped(Path(name) / "all.npy", arrays)

        def ours(length: int) -> Read:
            return lambda view, start: store.frames_at(view, slice(start, start + length))

        def mapped(length: int) -> Read:
            return lambda view, start: everything[view, start : start + length].copy()

        for length in (WINDOW, 1):
            assert np.array_equal(np.asarray(ours(length)(7, 5)), np.asarray(mapped(length)(7, 5)))
        clip = _compare(
            ours(WINDOW), lambda view, start: published_clip(arrays[view], start, WINDOW), mapped(WINDOW)
        )
        frame = _compare(ours(1), lambda view, start: published_image(arrays[view], start), mapped(1))
    clip["how"] = HOW.format(what=f"windows of {WINDOW} frames", reference="np.load of one .npy per video")
    frame["how"] = HOW.format(
        what="single frames", reference="np.load of one .npy per video, the clip converted to float64"
    )
    return {"hdf5_clip_read": clip, "hdf5_frame_read": frame}


def _mapped(path: Path, arrays: list[Path]) -> NDArray[np.uint8]:
    """(clips, frames, H, W, 3), a memory map of all clips."""
    np.save(path, np.stack([np.load(array) for array in arrays]))
    return cast(NDArray[np.uint8], np.load(path, mmap_mode="r"))


def _compare(ours: Read, reference: Read, mapped: Read) -> Result:
    return compare_random_reads(
        ours,
        reference,
        MemoryMap(mapped, "one memory map of all clips, kept open"),
        items=CLIPS,
        starts=LENGTH - WINDOW + 1,
        reads=READS,
        rounds=ROUNDS,
        unit="microseconds per read",
    )


def _write(folder: Path) -> tuple[list[Path], FrameStore]:
    """The same clips in both layouts."""
    blocks = [_clip(number) for number in range(CLIPS)]
    arrays = [folder / f"clip_{number:03d}.npy" for number in range(CLIPS)]
    for path, block in zip(arrays, blocks, strict=True):
        np.save(path, block)
    nothing = np.zeros((0, 0), np.float32)
    views = [
        View(path.stem, -1, "", LENGTH, LENGTH, nothing, nothing, pixel_sums(block))
        for path, block in zip(arrays, blocks, strict=True)
    ]
    shard = folder / "store/train/clips_train_00000.h5"
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
    write_shard(shard, views, blocks, (SIZE, SIZE), attributes)
    write_store_manifest(folder / "store", ["train/clips_train_00000"])
    return arrays, FrameStore(folder / "store")


def _clip(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    scene = np.kron(rng.normal(128, 40, (16, 16, 3)), np.ones((SIZE // 16, SIZE // 16, 1)))
    noisy = scene + rng.normal(0, 4, (LENGTH, SIZE, SIZE, 3))
    return noisy.clip(0, 255).astype(np.uint8)
