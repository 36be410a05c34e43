"""Frame pairs per second through a data loader with two workers: the published loader against ours."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import torch
from torch.utils.data import DataLoader

from benchmarks.clips import raw_clips
from benchmarks.reference.pair_loading_published import PublishedPairs
from benchmarks.timing import Result, seconds
from vidrep_pipelines.data.clip_dataset import ClipDataset
from vidrep_pipelines.data.sampling import PairSampling
from vidrep_pipelines.data.transforms import FrameTransform, normalize
from vidrep_pipelines.data.video.decode import FrameReader, ReaderName
from vidrep_pipelines.data.video.items import INDEX_SUFFIX
from vidrep_pipelines.data.video.profiles import ProfileName, ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video

WORKERS, BATCH, ROUNDS = 2, 8, 5
OUR_BATCHES, REFERENCE_BATCHES = 60, 8

Epoch = Callable[[], None]


class SameBatches:
    """Batches of (epoch, index) positions, a new epoch every time it is iterated."""

    def __init__(self, clips: int, batches: int) -> None:
        self._clips, self._batches, self._epoch = clips, batches, 0

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for number in range(self._batches):
            first = (self._epoch * self._batches + number) * BATCH
            yield [(first + item, (first + item) % self._clips) for item in range(BATCH)]
        self._epoch += 1


def resized(raw: list[Path], folder: Path, profile: ProfileName) -> pd.DataFrame:
    """Resizes the clips with packet indices beside them; returns their table."""
    rows = []
    for clip in raw:
        path = folder / profile / f"{clip.stem}.mp4"
        path.parent.mkdir(exist_ok=True)
        facts = resize_video(clip, path, ResizeConfig(profile=profile), path.with_suffix(INDEX_SUFFIX))
        row = {"id": clip.stem, "path": str(path.relative_to(folder)), "frames": facts["frames"]}
        rows.append(row | {"bytes": path.stat().st_size})
    return pd.DataFrame(rows)


def our_epoch(clips: pd.DataFrame, folder: Path, reader: ReaderName) -> Epoch:
    """A function that loads and normalizes ``OUR_BATCHES`` batches."""
    suffix = INDEX_SUFFIX if reader == "auto" else None
    data = ClipDataset(
        clips, folder, PairSampling(), FrameTransform(), reader=FrameReader(reader), index_suffix=suffix
    )
    loader = DataLoader(
        data,
        batch_sampler=SameBatches(len(data), OUR_BATCHES),
        num_workers=WORKERS,
        prefetch_factor=4,  # batches are four times as small as the reference's floats
        multiprocessing_context="spawn",
        persistent_workers=True,
    )

    def epoch() -> None:
        for batch in loader:
            if int(batch["replaced"].sum()):
                raise RuntimeError("a clip could not be read: the comparison would mean nothing")
            normalize(batch["frames"])

    return epoch


def published_epoch(clips: pd.DataFrame, folder: Path) -> Epoch:
    """A function that loads ``REFERENCE_BATCHES`` batches."""
    data = PublishedPairs([folder / path for path in clips["path"]], length=REFERENCE_BATCHES * BATCH)
    # Kept workers favour the reference: the published loader starts its workers anew in every epoch.
    loader = DataLoader(
        data,
        batch_size=BATCH,
        shuffle=True,
        num_workers=WORKERS,
        multiprocessing_context="spawn",
        persistent_workers=True,
    )

    def epoch() -> None:
        for _ in loader:
            pass

    return epoch


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw, what = raw_clips(folder)
        published, train = (resized(raw, folder, profile) for profile in ("published", "train"))
        epochs = {
            "reference": published_epoch(published, folder),
            "rsp_pair_loading": our_epoch(train, folder, "auto"),
            "rsp_pair_loading_decord": our_epoch(train, folder, "decord"),
        }
        for epoch in epochs.values():
            epoch()  # starts the workers
        times: dict[str, list[float]] = {side: [] for side in epochs}
        for _ in range(ROUNDS):
            for side, epoch in epochs.items():
                times[side].append(seconds(epoch, time.perf_counter))
    torch.set_num_threads(threads)
    size = train["bytes"].sum() / published["bytes"].sum()
    reference = REFERENCE_BATCHES * BATCH / statistics.median(times.pop("reference"))
    return {
        side: _result(statistics.median(rounds), reference, side, size, what)
        for side, rounds in times.items()
    }


def _result(elapsed: float, reference: float, name: str, size: float, what: str) -> Result:
    ours = OUR_BATCHES * BATCH / elapsed
    reader = "decord" if name.endswith("decord") else "the packet index"
    how = (
        f"{what}; two pairs per sample, 224 crops, DataLoader with {WORKERS} workers that are already "
        f"running, wall time, interleaved, medians of {ROUNDS} rounds; ours: train profile ({size:.2f} times "
        f"the bytes of the published profile, both without sound) read through {reader}, normalized per "
        "batch; reference: published profile, decord frame by frame, Pillow"
    )
    return Result(ratio=ours / reference, ours=ours, reference=reference, unit="samples per second", how=how)
