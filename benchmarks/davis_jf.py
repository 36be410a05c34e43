"""J and F of a sequence: whole images and dilations, against cropped masks and contour points."""

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference.davis_published import published_scores
from benchmarks.timing import Result, interleave
from vidrep_pipelines.evaluation.label_propagation.davis import score_sequence

FRAMES, OBJECTS, HEIGHT, WIDTH, ROUNDS = 22, 2, 480, 854, 5
HOW = (
    f"CPU time of J and F of {FRAMES - 2} evaluated frames with {OBJECTS} objects in {WIDTH}x{HEIGHT}, equal "
    f"results; interleaved, medians of {ROUNDS} rounds; reference: whole images, contours dilated by a disc"
)


def label_maps(seed: int, frames: int = FRAMES) -> NDArray[np.uint8]:
    """(frames, HEIGHT, WIDTH): objects with ragged outlines that move through the image."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    maps = np.zeros((frames, HEIGHT, WIDTH), dtype=np.uint8)
    for number in range(1, OBJECTS + 1):
        phases = rng.uniform(0, 2 * np.pi, 6)
        for frame in range(frames):
            y = rows - (0.35 + 0.15 * number) * HEIGHT - frame
            x = columns - 0.3 * number * WIDTH - 4 * frame
            angle = np.arctan2(y, x)
            ripples = sum(np.sin((2 * wave + 3) * angle + phase) for wave, phase in enumerate(phases))
            maps[frame][np.hypot(x, y) < 90 + 6 * ripples] = number
    return maps


def run() -> dict[str, Result]:
    annotations, results = label_maps(0), label_maps(1)
    medians = interleave(
        lambda: score_sequence("moving", annotations, results),
        lambda: published_scores(annotations, results),
        ROUNDS,
        time.process_time,
    )
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours,
        reference=medians.reference,
        unit="seconds per sequence",
        how=HOW,
    )
    return {"davis_jf": result}
