"""Labels of one more frame from a full context: places with large maxima, against the whole affinity."""

import time

import torch

from benchmarks.propagation_setup import CONFIG, DIMENSION, HEIGHT, WIDTH, first_labels, frames
from benchmarks.reference.label_propagation_published import published_propagation
from benchmarks.timing import Result, interleave
from vidrep_pipelines.evaluation.label_propagation.neighborhood import window
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate

ROUNDS = 5
CONTEXT = 1 + CONFIG.context_frames
CELLS = HEIGHT * WIDTH
GIGAFLOPS = 2 * CONTEXT * CELLS**2 * DIMENSION / 1e9
HOW = (
    f"CPU time of one thread per frame; context: the first and {CONFIG.context_frames} more frames of "
    f"{HEIGHT}x{WIDTH} cells, {DIMENSION} dimensions, float32; top {CONFIG.top_k}, radius "
    f"{CONFIG.radius:.0f}; interleaved, medians of {ROUNDS} rounds; reference: the affinity of all pairs at "
    f"once ({GIGAFLOPS:.0f} GFLOP of multiplications; ours leaves out most sources outside of the window)"
)


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    count = CONTEXT + ROUNDS + 2
    ours = propagate(frames(count), first_labels(), CONFIG)
    for _ in range(CONTEXT):
        next(ours)
    reference = published_propagation(
        frames(count),
        first_labels(),
        window(HEIGHT, WIDTH, CONFIG.radius, "dino").float(),
        CONFIG.top_k,
        CONFIG.context_frames,
        CONFIG.temperature,
    )
    for _ in range(CONFIG.context_frames):
        next(reference)
    medians = interleave(lambda: next(ours), lambda: next(reference), ROUNDS, time.process_time)
    torch.set_num_threads(threads)
    result = Result(
        ratio=medians.ratio, ours=medians.ours, reference=medians.reference, unit="seconds per frame", how=HOW
    )
    return {"propagation_per_frame": result}
