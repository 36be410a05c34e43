"""The window around every cell: nested loops for each video, against index arithmetic."""

import time

from benchmarks.propagation_setup import CONFIG, HEIGHT, WIDTH
from benchmarks.reference.label_propagation_published import published_window
from benchmarks.timing import Result, interleave
from vidrep_pipelines.evaluation.label_propagation.neighborhood import window

ROUNDS = 3
RADIUS = int(CONFIG.radius)
HOW = (
    f"CPU time of the window of radius {RADIUS} on a grid of {HEIGHT}x{WIDTH} cells, once per video; "
    f"interleaved, medians of {ROUNDS} rounds; reference: nested loops over cells and neighbors"
)


def run() -> dict[str, Result]:
    medians = interleave(
        lambda: window(HEIGHT, WIDTH, RADIUS, "dino"),
        lambda: published_window(HEIGHT, WIDTH, RADIUS),
        ROUNDS,
        time.process_time,
    )
    result = Result(
        ratio=medians.ratio, ours=medians.ours, reference=medians.reference, unit="seconds per video", how=HOW
    )
    return {"propagation_window": result}
