"""What a clip costs in each stage, and a million of them: ``python -m benchmarks.stage_costs``.

Costs per clip are measured here, on one core. What follows for a million clips and many cores is arithmetic:
it takes for granted that clips are independent of one another and that the disks keep up, and says what that
means for them.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from benchmarks.clips import raw_clips
from vidrep_pipelines.data.clips.dataset import ClipDataset
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.files.listing import list_videos
from vidrep_pipelines.data.transforms import FrameTransform
from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX, probe_item, resize_item
from vidrep_pipelines.data.video.profiles import ResizeConfig

CORES = (64, 1024)
MILLION = 1_000_000

_LISTED_FILES, _FILES_PER_FOLDER = 40_000, 400
_ROUNDS, _SAMPLES = 3, 60


@dataclass(frozen=True)
class Cost:
    """One stage.

    Attributes:
        stage: Its name.
        seconds: CPU seconds of one core per clip.
        read: Bytes read per clip.
        written: Bytes written per clip.
        parallel: Whether the clips are spread over cores.
    """

    stage: str
    seconds: float
    read: float = 0
    written: float = 0
    parallel: bool = True

    def line(self) -> str:
        """The row of the table: for a million clips, and per number of cores."""
        total = self.seconds * MILLION
        times = [total / cores if self.parallel else total for cores in CORES]
        rates = [(self.read + self.written) * MILLION / spent / 1e9 for spent in times]
        return (
            f"{self.stage:<10}{self.seconds * 1000:>12.3f}{total / 3600:>12.2f}"
            + "".join(f"{spent / 60:>12.2f}{rate:>12.2f}" for spent, rate in zip(times, rates, strict=True))
            + f"{self.read * MILLION / 1e9:>10.0f}{self.written * MILLION / 1e9:>10.0f}"
        )


def listing_cost(folder: Path) -> Cost:
    for number in range(_LISTED_FILES):
        path = folder / f"class_{number // _FILES_PER_FOLDER:04}" / f"clip_{number:06}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    start = time.process_time()
    list_videos(folder)
    return Cost("list", (time.process_time() - start) / _LISTED_FILES, parallel=False)


def probing_cost(raw: list[Path]) -> Cost:
    start = time.process_time()
    for _ in range(_ROUNDS):
        for path in raw:
            probe_item(str(path), {})
    return Cost("probe", (time.process_time() - start) / _ROUNDS / len(raw))


def resizing_cost(raw: list[Path], folder: Path) -> tuple[Cost, pd.DataFrame]:
    """The cost, and the table of the resized clips."""
    rows = []
    start = time.process_time()
    for path in raw:
        outputs = {suffix: folder / f"{path.stem}{suffix}" for suffix in (CLIP_SUFFIX, INDEX_SUFFIX)}
        facts = resize_item((str(path), ResizeConfig()), outputs)
        rows.append({"id": path.stem, "path": outputs[CLIP_SUFFIX].name, "frames": facts["frames"]})
    spent = (time.process_time() - start) / len(raw)
    read = sum(path.stat().st_size for path in raw) / len(raw)
    written = sum(path.stat().st_size for path in folder.iterdir()) / len(raw)
    return Cost("resize", spent, read, written), pd.DataFrame(rows)


def loading_cost(clips: pd.DataFrame, folder: Path) -> tuple[Cost, float]:
    """The cost of one sample of two pairs, and how many read calls it makes."""
    torch.set_num_threads(1)
    data = ClipDataset(clips, folder, PairSampling(), FrameTransform(), index_suffix=INDEX_SUFFIX)
    data[0, 0]
    calls, read, start = *_reads(), time.process_time()
    for number in range(_SAMPLES):
        data[number + 1, number % len(data)]
    spent = (time.process_time() - start) / _SAMPLES
    calls_after, read_after = _reads()
    return Cost("load", spent, (read_after - read) / _SAMPLES), (calls_after - calls) / _SAMPLES


def _reads() -> tuple[int, int]:
    """Read calls and bytes read by this process so far, from any cache or disk (Linux counts them)."""
    counted = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counted["syscr"]), int(counted["rchar"])


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary, name) for name in ("listed", "raw", "resized")}
        for folder in folders.values():
            folder.mkdir()
        raw, description = raw_clips(folders["raw"])
        listing, probing = listing_cost(folders["listed"]), probing_cost(raw)
        resizing, clips = resizing_cost(raw, folders["resized"])
        loading, calls = loading_cost(clips, folders["resized"])
    print(f"Measured on {description}.\n")
    heads = "".join(f"{f'min at {cores}':>12}{'GB/s':>12}" for cores in CORES)
    print(f"{'stage':<10}{'ms/clip':>12}{'core hours':>12}{heads}{'GB read':>10}{'GB written':>11}")
    for cost in (listing, probing, resizing, loading):
        print(cost.line())
    print(
        f"\nOne sample (two pairs): {loading.read / 1000:.0f} kB in {calls:.0f} read calls. A core loads "
        f"{1 / loading.seconds:.0f} samples a second, {loading.read / loading.seconds / 1e6:.1f} MB/s."
    )


if __name__ == "__main__":
    main()
