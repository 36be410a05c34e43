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
from benchmarks.reference.resize_published import ffmpeg_is_installed, resize_published
from benchmarks.timing import Result, seconds
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.transforms import FrameTransform, normalize
from vidrep_pipelines.data.video.decode import FrameReader, ReaderName
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_store import STORE_SUFFIX, PacketStore, part_name
from vidrep_pipelines.data.video.packet_store_part import write_part
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


def published(raw: list[Path], folder: Path) -> tuple[list[Path], int, str]:
    """The clips as the published preparation makes them, their bytes, and how they were made."""
    folder.mkdir()
    paths = [folder / f"{clip.stem}.mp4" for clip in raw]
    for clip, path in zip(raw, paths, strict=True):
        if ffmpeg_is_installed():
            resize_published(clip, path)
        else:
            resize_video(clip, path, ResizeConfig(profile="published"))
    how = "the ffmpeg command" if ffmpeg_is_installed() else "the published profile, without sound"
    return paths, sum(path.stat().st_size for path in paths), how


def resized(raw: list[Path], folder: Path, profile: ProfileName) -> pd.DataFrame:
    """Resizes the clips and collects their packet indices in a store; returns their table."""
    folder.mkdir()
    rows, indices = [], []
    for clip in raw:
        path = folder / f"{clip.stem}.mp4"
        facts = resize_video(clip, path, ResizeConfig(profile=profile))
        row = {"id": clip.stem, "path": path.name, "frames": facts["frames"]}
        rows.append(row | {"bytes": path.stat().st_size})
        indices.append((clip.stem, PacketIndex.of_clip(path, int(facts["frames"]))))
    write_part(indices, folder / f"{part_name(0, 1)}{STORE_SUFFIX}")
    return pd.DataFrame(rows)


def our_epoch(clips: pd.DataFrame, folder: Path, reader: ReaderName) -> Epoch:
    """A function that loads and normalizes ``OUR_BATCHES`` batches."""
    data = ClipDataset(
        clips,
        folder,
        PairSampling(),
        FrameTransform(),
        reader=FrameReader(reader),
        packet_store=PacketStore(folder) if reader == "auto" else None,
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


def published_epoch(clips: list[Path]) -> Epoch:
    """A function that loads ``REFERENCE_BATCHES`` batches."""
    data = PublishedPairs(clips, length=REFERENCE_BATCHES * BATCH)
    # Kept workers favor the reference: the published loader starts its workers anew in every epoch.
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
        clips, published_bytes, how = published(raw, folder / "published")
        train, small = (resized(raw, folder / profile, profile) for profile in ("train", "small"))
        epochs = {
            "reference": published_epoch(clips),
            "rsp_pair_loading": our_epoch(train, folder / "train", "auto"),
            "rsp_pair_loading_small": our_epoch(small, folder / "small", "auto"),
            "rsp_pair_loading_decord": our_epoch(train, folder / "train", "decord"),
        }
        medians = _medians(epochs)
    torch.set_num_threads(threads)
    reference = REFERENCE_BATCHES * BATCH / medians.pop("reference")
    sizes = {"rsp_pair_loading_small": small["bytes"].sum() / published_bytes}
    share = train["bytes"].sum() / published_bytes
    return {
        side: _result(elapsed, reference, side, sizes.get(side, share), f"{what}; reference files by {how}")
        for side, elapsed in medians.items()
    }


def _medians(epochs: dict[str, Epoch]) -> dict[str, float]:
    for epoch in epochs.values():
        epoch()  # starts the workers
    times: dict[str, list[float]] = {side: [] for side in epochs}
    for _ in range(ROUNDS):
        for side, epoch in epochs.items():
            times[side].append(seconds(epoch, time.perf_counter))
    return {side: statistics.median(rounds) for side, rounds in times.items()}


def _result(elapsed: float, reference: float, name: str, size: float, what: str) -> Result:
    ours = OUR_BATCHES * BATCH / elapsed
    profile = "small" if name.endswith("small") else "train"
    reader = 'reader="decord"' if name.endswith("decord") else "the packet index"
    how = (
        f"{what}; two pairs per sample, 224 crops, DataLoader with {WORKERS} workers that are already "
        f"running, wall time, interleaved, medians of {ROUNDS} rounds; ours: {profile} profile ({size:.2f} "
        f"times the reference's bytes) read through {reader}, normalized per batch; reference: decord frame "
        "by frame, Pillow"
    )
    return Result(ratio=ours / reference, ours=ours, reference=reference, unit="samples per second", how=how)
