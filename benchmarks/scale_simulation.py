"""The data stages on made-up tables: ``python -m benchmarks.scale_simulation [--rows N] [--folder F]``.

There are no video files behind the rows. What is measured is everything from the listing to the index
arithmetic of one epoch that grows with the number of clips: each step runs in a process of its own, of which
the seconds and the largest memory are printed.
"""

import argparse
import multiprocessing
import pickle
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.data.clips.class_list import LabelRows, write_label_list
from vidrep_pipelines.data.clips.config import LabelFilterConfig
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.data.clips.filtering import filter_clips
from vidrep_pipelines.data.clips.index import build_resized_index, build_video_index
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.clips.table import ClipRows, content_digest, snapshot
from vidrep_pipelines.data.tables.partitioned_table import PartitionedTable, write_table
from vidrep_pipelines.data.tables.table import LazyTable
from vidrep_pipelines.data.transforms import FrameTransform
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.pipelines.resize.clips_nodes import resize_videos
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.order import DataOrder, RankBatches, plan_batches

ROWS = 10_000_000
CLASSES = 1000
RANK, WORLD_SIZE = 5, 512
BATCH_SIZE = 1536 * 8
"""Items per update: three on each of 512 processes, times eight."""

_ROWS_AT_ONCE = 65_536
_FAILED_EVERY, _SHORT_EVERY = 100, 250

Facts = dict[str, float]
Step = Callable[[Path, int], Facts]


@dataclass(frozen=True)
class Measurement:
    """One step.

    Attributes:
        name: What was done.
        seconds: Wall time, without starting the process.
        peak_megabytes: Largest resident memory of the process, libraries included.
        facts: What the step found out.
    """

    name: str
    seconds: float
    peak_megabytes: float
    facts: Facts


def make_tables(folder: Path, rows: int) -> Facts:
    """Listing and the manifests of probing and resizing, as the real stages write them."""
    for name, columns in (("listing", _listing), ("probes", _probes), ("resized", _resized)):
        write_table(_made(rows, columns), folder / name)
    return {}


def index_videos(folder: Path, rows: int) -> Facts:
    """Joins listing and probes."""
    listing, probes = PartitionedTable(folder / "listing"), PartitionedTable(folder / "probes")
    return {"rows": len(write_table(build_video_index(listing, probes), folder / "video_index"))}


def plan_resize(folder: Path, rows: int) -> Facts:
    """The items of the resize job, with their digests."""
    job = resize_videos(PartitionedTable(folder / "video_index"), ResizeConfig(), FanOutConfig())
    return {"items": len(job.items)}


def index_resized(folder: Path, rows: int) -> Facts:
    """Joins the video index and the outcome of resizing."""
    index, resized = PartitionedTable(folder / "video_index"), PartitionedTable(folder / "resized")
    return {"rows": len(write_table(build_resized_index(index, resized), folder / "resized_index"))}


def filter_labels(folder: Path, rows: int) -> Facts:
    """Applies the rules, writes kept and dropped clips."""
    result = filter_clips(PartitionedTable(folder / "resized_index"), LabelFilterConfig(min_frames=50))
    clips = write_table(result.clips, folder / "clip_table")
    return {"kept": len(clips), "dropped": len(write_table(result.dropped, folder / "dropped"))}


def list_labels(folder: Path, rows: int) -> Facts:
    """The official label list."""
    labels = LabelRows(PartitionedTable(folder / "clip_table"), "resized_videos")
    return {"bytes": write_label_list(labels, folder / "label_full_1.0.pickle").stat().st_size}


def snapshot_clips(folder: Path, rows: int) -> Facts:
    """The table of clips as training reads it, and its digest."""
    clips = PartitionedTable(folder / "clip_table")
    content_digest(clips)
    return {"bytes": snapshot(clips, folder).stat().st_size}


def set_up_sampler(folder: Path, rows: int) -> Facts:
    """Data set and sampler of one training process, up to its first batch."""
    return {"clips": len(_dataset(folder)), "items": len(next(iter(_batches(folder))))}


def one_epoch(folder: Path, rows: int) -> Facts:
    """All index arithmetic of one training process in one epoch."""
    items = [index for batch in _batches(folder) for _, index in batch]
    return {"items": len(items), "distinct": len(set(items))}


def loader_worker(folder: Path, rows: int) -> Facts:
    """What a loader's worker holds: the data set arrives, and paths of clips all over it are looked up."""
    message = pickle.dumps(_dataset(folder))
    dataset = pickle.loads(message)
    spread = np.random.default_rng(0).integers(len(dataset), size=10_000)
    return {"message_bytes": len(message), "names": len(set(dataset.names(spread)))}


STEPS: tuple[Step, ...] = (
    make_tables,
    index_videos,
    plan_resize,
    index_resized,
    filter_labels,
    list_labels,
    snapshot_clips,
    set_up_sampler,
    one_epoch,
    loader_worker,
)


def simulate(rows: int, folder: Path) -> Iterator[Measurement]:
    """Runs all steps, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    for step in STEPS:
        with ProcessPoolExecutor(1, mp_context=context) as process:
            yield process.submit(_measured, step, folder, rows).result()


def _measured(step: Step, folder: Path, rows: int) -> Measurement:
    started = time.perf_counter()
    facts = step(folder, rows)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Measurement(step.__name__, seconds, peak / (2**20 if sys.platform == "darwin" else 2**10), facts)


def _dataset(folder: Path) -> ClipDataset:
    return ClipDataset(ClipRows(folder / "clips.arrow"), folder, PairSampling(), FrameTransform())


def _batches(folder: Path) -> RankBatches:
    order = DataOrder(len(_dataset(folder)), BATCH_SIZE, seed=0)
    train = TrainConfig(batch_size=BATCH_SIZE, steps=1)
    plan = plan_batches(train, LaunchConfig(device_batch_size=3), WORLD_SIZE)
    return RankBatches(order, plan, RANK, 0, order.steps_per_epoch)


Columns = dict[str, pa.Array]


def _made(rows: int, columns: Callable[[np.ndarray, int], Columns]) -> LazyTable:
    """A table of made-up rows, batch by batch."""

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, _ROWS_AT_ONCE):
            yield pa.RecordBatch.from_pydict(
                columns(np.arange(start, min(rows, start + _ROWS_AT_ONCE)), rows)
            )

    schema = pa.RecordBatch.from_pydict(columns(np.arange(1), rows)).schema
    return LazyTable(schema, batches)


def _names(numbers: np.ndarray, rows: int) -> tuple[pa.Array, pa.Array]:
    """Class names and ids, ascending."""
    classes = pa.array(numbers * CLASSES // rows)
    class_names = _text("class_", pc.utf8_lpad(classes.cast(pa.string()), 4, "0"))
    names = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 11, "0")
    return class_names, _text(class_names, "/", names, "_000010_000020")


def _text(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _listing(numbers: np.ndarray, rows: int) -> Columns:
    class_names, ids = _names(numbers, rows)
    return {
        "id": ids,
        "class_name": class_names,
        "path": _text("/datasets/videos/train/", ids, ".mp4"),
        "bytes": pa.array(numbers % 900_000 + 1),
        "mtime_ns": pa.array(numbers + 1_700_000_000_000_000_000),
        "etag": pa.array([""] * len(numbers)),
    }


def _probes(numbers: np.ndarray, rows: int) -> Columns:
    return {
        **_manifest(numbers, rows),
        "width": pa.array(numbers % 400 + 240),
        "height": pa.array(numbers % 200 + 240),
        "frames": pa.array(numbers % 300),
        "frames_per_second": pa.array(np.full(len(numbers), 29.97)),
        "duration_seconds": pa.array(numbers % 300 / 29.97),
        "codec": pa.array(["h264"] * len(numbers)),
        "rotation": pa.array(np.zeros(len(numbers), np.int64)),
        "has_audio": pa.array(numbers % 2 == 0),
        "pixel_format": pa.array(["yuv420p"] * len(numbers)),
    }


def _resized(numbers: np.ndarray, rows: int) -> Columns:
    ok = pa.array(numbers % _FAILED_EVERY != 0)
    facts = {
        "source_width": pa.array(numbers % 400 + 240),
        "source_height": pa.array(numbers % 200 + 240),
        "source_frames": pa.array(numbers % 300),
        "source_codec": pa.array(["h264"] * len(numbers)),
        "rotation": pa.array(np.zeros(len(numbers), np.int64)),
        "has_audio": pa.array(numbers % 2 == 0),
        "width": pa.array(np.full(len(numbers), 340)),
        "height": pa.array(np.full(len(numbers), 256)),
        "frames": pa.array(np.where(numbers % _SHORT_EVERY == 1, 10, numbers % 200 + 100)),
        "frames_per_second": pa.array(np.full(len(numbers), 29.97)),
        "duration_seconds": pa.array(numbers % 300 / 29.97),
        "keyframe_interval": pa.array(np.full(len(numbers), 12)),
        "verdict": pa.array(["healthy"] * len(numbers)),
        "verdict_detail": pa.array([""] * len(numbers)),
    }
    return {
        **_manifest(numbers, rows),
        **{name: pc.if_else(ok, column, None) for name, column in facts.items()},
    }


def _manifest(numbers: np.ndarray, rows: int) -> Columns:
    _, ids = _names(numbers, rows)
    ok = pa.array(numbers % _FAILED_EVERY != 0)
    return {
        "id": ids,
        "status": pc.if_else(ok, "ok", "failed"),
        "error": pc.if_else(ok, None, _text("/datasets/videos/train/", ids, ".mp4: it is empty")),
        "seconds": pa.array(np.full(len(numbers), 0.3)),
        "bytes": pa.array(numbers % 500_000),
        "digest": pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 16, "0"),
        "attempts": pa.array(np.ones(len(numbers), np.int64)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument(
        "--folder", type=Path, help="where the tables go and stay; otherwise they are removed"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        print(f"{options.rows:,} rows, rank {RANK} of {WORLD_SIZE}")
        for measured in simulate(options.rows, options.folder or Path(temporary)):
            facts = ", ".join(f"{name} {value:,.0f}" for name, value in measured.facts.items())
            print(
                f"{measured.name:<16}{measured.seconds:>8.1f} s{measured.peak_megabytes:>8.0f} MB  {facts}",
                flush=True,
            )


if __name__ == "__main__":
    main()
