"""The Frechet distance, against a matrix square root and the roots of eigenvalues."""

import time
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.peers import Peer, check_equal, compare, with_peer
from benchmarks.reference.reconstruction_metrics_published import published_frechet_distance
from benchmarks.timing import Result, Work
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance

CASES = {
    "frechet_distance": (256, 400, 7),
    "frechet_distance_2048x400": (2048, 400, 7),
    "frechet_distance_4000x2048": (4000, 2048, 2),
}
"""Samples, numbers of a feature, rounds."""
HOW = (
    "CPU time of two sets of {samples} features of {numbers} numbers, one thread, interleaved, medians of "
    "{rounds} rounds; reference: scipy.linalg.sqrtm of the product of the covariances"
)


def run() -> dict[str, Result]:
    with threadpool_limits(1):
        return {name: _measure(*case) for name, case in CASES.items()}


def _measure(samples: int, numbers: int, rounds: int) -> Result:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(numbers, numbers)) / np.sqrt(numbers)
    real, other = ((rng.normal(size=(samples, numbers)) @ mixing).astype(np.float32) for _ in range(2))
    peers = [
        Peer(
            "scipy", "`eigh`, then the roots of `eigvalsh`, in four lines", partial(_eigenvalues, real, other)
        )
    ]
    comparison = compare(
        lambda: frechet_distance(real, other),
        lambda: published_frechet_distance(real, other),
        peers,
        rounds,
        time.process_time,
    )
    medians = comparison.medians
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * 1000,
        reference=medians.reference * 1000,
        unit="milliseconds",
        how=HOW.format(samples=samples, numbers=numbers, rounds=rounds),
    )
    return with_peer(result, comparison.rivals)


def _eigenvalues(real: NDArray[np.float32], other: NDArray[np.float32]) -> Work:
    from scipy.linalg import eigh, eigvalsh  # noqa: PLC0415

    def work() -> float:
        first, second = (np.cov(x.astype(np.float64), rowvar=False) for x in (real, other))
        values, vectors = eigh(first, check_finite=False)
        half = vectors * np.sqrt(values.clip(0))
        root = np.sqrt(eigvalsh(half.T @ second @ half, check_finite=False).clip(0)).sum()
        shift = np.square(real.astype(np.float64).mean(0) - other.astype(np.float64).mean(0)).sum()
        return float(shift + np.trace(first) + np.trace(second) - 2 * root)

    check_equal("eigh", work(), frechet_distance(real, other))
    return work
