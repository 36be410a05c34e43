"""The Frechet distance by a nuclear norm against a matrix square root."""

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.reference.reconstruction_metrics_published import published_frechet_distance
from benchmarks.timing import Result, interleave
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance

SAMPLES, FEATURES, ROUNDS = 256, 400, 7
HOW = (
    f"two sets of {SAMPLES} features of {FEATURES} numbers, one thread, interleaved, medians of "
    f"{ROUNDS} rounds; reference: scipy.linalg.sqrtm of the product of the covariances"
)


def run() -> dict[str, Result]:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    real, other = ((rng.normal(size=(SAMPLES, FEATURES)) @ mixing).astype(np.float32) for _ in range(2))
    with threadpool_limits(1):
        medians = interleave(
            lambda: frechet_distance(real, other), lambda: published_frechet_distance(real, other), ROUNDS
        )
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * 1000,
        reference=medians.reference * 1000,
        unit="milliseconds",
        how=HOW,
    )
    return {"frechet_distance": result}
