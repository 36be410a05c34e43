"""J and F of a sequence: cropped masks and contour points, against whole images and dilations."""

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Peer, check_equal, compare, with_peer
from benchmarks.reference.davis_published import published_scores
from benchmarks.timing import Result, Work
from vidrep_pipelines.evaluation.label_propagation.davis import score_sequence

FRAMES, OBJECTS, HEIGHT, WIDTH, ROUNDS = 22, 2, 480, 854, 5
HOW = (
    f"CPU time of J and F of {FRAMES - 2} evaluated frames with {OBJECTS} objects in {WIDTH}x{HEIGHT}, equal "
    f"results; interleaved, medians of {ROUNDS} rounds; reference: whole images, contours dilated by a disc"
)

# Not in the extra: it asks for the OpenCV with windows, which overwrites the one without.
INSTALL_VOS = "pip install --no-deps vos-benchmark==0.1.0 scikit-image==0.26.0 lazy-loader==0.6"


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
    comparison = compare(
        lambda: score_sequence("moving", annotations, results),
        lambda: published_scores(annotations, results),
        [
            Peer(
                "vos-benchmark",
                "its `Evaluator`, frame after frame",
                lambda: _vos(annotations, results),
                install=INSTALL_VOS,
            )
        ],
        ROUNDS,
        time.process_time,
    )
    medians = comparison.medians
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours,
        reference=medians.reference,
        unit="seconds per sequence",
        how=HOW,
    )
    return {"davis_jf": with_peer(result, comparison.rivals)}


def _vos(annotations: NDArray[np.uint8], results: NDArray[np.uint8]) -> Work:
    from vos_benchmark.evaluator import Evaluator  # noqa: PLC0415

    def work() -> NDArray[np.float64]:
        evaluator = Evaluator()
        for annotation, result in zip(annotations[1:-1], results[1:-1], strict=True):
            evaluator.feed_frame(result, annotation)
        percent = evaluator.conclude()
        return np.array([[by_object[label] for label in sorted(by_object)] for by_object in percent]) / 100

    ours = score_sequence("moving", annotations, results)
    check_equal("vos-benchmark", work(), [ours.region.mean(axis=1), ours.contour.mean(axis=1)])
    return work
