"""Peak memory of propagation through a video, each side in a process of its own."""

import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.propagation_setup import CONFIG, DIMENSION, HEIGHT, WIDTH, first_labels, frames
from benchmarks.reference.label_propagation_published import published_propagation
from benchmarks.timing import Result
from vidrep_pipelines.evaluation.label_propagation.neighborhood import window
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate

FRAMES = CONFIG.context_frames + 4
HOW = (
    f"peak resident memory of a process above what it held with warm libraries, {FRAMES} frames of "
    f"{HEIGHT}x{WIDTH} cells and {DIMENSION} dimensions, whose features come one by one; reference: the "
    "affinity of all pairs at once; the ratio is ours to the reference's, so less is better"
)


def run() -> dict[str, Result]:
    ours, reference = measured("ours"), measured("reference")
    result = Result(ratio=ours / reference, ours=ours, reference=reference, unit="MiB", how=HOW)
    return {"propagation_memory": result}


def measured(side: str) -> float:
    command = [sys.executable, "-m", "benchmarks.propagation_memory", side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def mebibytes(field: str) -> float:
    """A field of this process's status, VmRSS (now) or VmHWM (peak)."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise SystemExit("This benchmark needs /proc/self/status with VmRSS and VmHWM (Linux).")
    return int(found[1]) / 1024


def labels_of(side: str, features: Iterable[Tensor], radius: float) -> Iterable[Tensor]:
    if side == "ours":
        return propagate(features, first_labels(), CONFIG.model_copy(update={"radius": radius}))
    mask = window(HEIGHT, WIDTH, radius, "dino").float()
    return published_propagation(
        features, first_labels(), mask, CONFIG.top_k, CONFIG.context_frames, CONFIG.temperature
    )


def main(side: str) -> None:
    torch.set_num_threads(1)
    deque(labels_of(side, frames(2), 1), maxlen=0)  # loads what libraries load at first use
    before = mebibytes("VmRSS")
    deque(labels_of(side, frames(FRAMES), CONFIG.radius), maxlen=0)
    print(mebibytes("VmHWM") - before)


if __name__ == "__main__":
    main(sys.argv[1])
