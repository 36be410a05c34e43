"""Retrieval, order and time warping of frame embeddings: matrices and vectors against loops and libraries."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Peer, Rival, check_equal, compare, with_peer
from benchmarks.reference.frame_evaluation_published import (
    published_precision,
    published_tau,
    published_warping,
)
from benchmarks.timing import Medians, Result, Work
from vidrep_pipelines.evaluation.frame_embeddings.alignment import dynamic_time_warping
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet, split_by_length
from vidrep_pipelines.evaluation.frame_embeddings.kendall_tau import kendall_tau, tau_of
from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import find_nearest, squared_distances
from vidrep_pipelines.evaluation.frame_embeddings.retrieval import retrieve_frames

VIDEOS, FRAMES, WIDTH = 100, 40, 128
NEIGHBORS = (5, 10, 15)
LONG = 240
HOW = "float32 embeddings of width 128, wall time, interleaved, medians of 5 rounds; "

COMPILED = (
    "compiled, a loop goes from cell to cell as fast as the processor can; ours takes vectors of NumPy, of "
    "which few hold more than some hundred numbers. Two videos are aligned in milliseconds, once for each "
    "that is shown, which does not pay for a compiler of 100 MB"
)


RANKED_IN_FLOAT32 = (
    "it multiplies and ranks in float32; ours ranks by distances in float64, as the published evaluation "
    "does, so that what is nearly as near does not depend on rounding"
)


def random_videos() -> EmbeddingSet:
    """Unit embeddings that drift with time, and five phases."""
    generator = np.random.default_rng(0)
    drift = np.linspace(0, 3, FRAMES)[:, None] * generator.normal(size=WIDTH)
    frames = (drift + generator.normal(size=(VIDEOS, FRAMES, WIDTH))).reshape(-1, WIDTH)
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    phases = np.tile(np.arange(FRAMES) * 5 // FRAMES, VIDEOS)
    return split_by_length(frames.astype(np.float32), phases, [FRAMES] * VIDEOS)


def run() -> dict[str, Result]:
    videos = random_videos()
    query, key = np.random.default_rng(1).normal(size=(2, LONG, WIDTH))
    retrieval = compare(
        lambda: retrieve_frames(videos, NEIGHBORS),
        lambda: [published_precision(videos, count) for count in NEIGHBORS],
        [
            Peer(
                "faiss-cpu",
                "an `IndexFlatL2` of all frames, asked for as many more as a video has frames of its own",
                partial(_faiss, videos),
                RANKED_IN_FLOAT32,
            )
        ],
        rounds=5,
    )
    nearest = find_nearest(videos)
    tau = compare(
        lambda: kendall_tau(videos),
        lambda: published_tau(videos),
        [
            Peer(
                "scipy",
                "`stats.kendalltau` row after row of the neighbors that ours found; against it, ours without "
                "finding them",
                partial(_scipy_tau, nearest.per_video),
                ours=lambda: tau_of(nearest),
            )
        ],
        rounds=5,
    )
    warping = compare(
        lambda: dynamic_time_warping(query, key),
        lambda: published_warping(query, key),
        [
            Peer("numba", "the plain double loop, compiled", partial(_numba, query, key), COMPILED),
            Peer(
                "dtaidistance",
                "`dtw_ndim.warping_paths_fast` and `best_path`",
                partial(_dtaidistance, query, key),
                COMPILED,
            ),
        ],
        rounds=5,
    )
    size = f"{VIDEOS} videos of {FRAMES} frames"
    return {
        "carl_retrieval": _result(
            retrieval.medians,
            f"{size}, K = 5, 10, 15; reference: all distances and a sort per K",
            retrieval.rivals,
        ),
        "carl_tau": _result(tau.medians, f"{size}; reference: SciPy, pair of videos after pair", tau.rivals),
        "carl_dtw": _result(
            warping.medians, f"{LONG} against {LONG} frames; reference: cell after cell", warping.rivals
        ),
    }


def _faiss(videos: EmbeddingSet) -> Work:
    import faiss  # noqa: PLC0415
    import torch  # noqa: PLC0415

    faiss.omp_set_num_threads(torch.get_num_threads())
    frames, phases = videos.stacked()
    frames = np.ascontiguousarray(frames, np.float32)
    owner = np.repeat(np.arange(VIDEOS), FRAMES)

    def work() -> list[float]:
        index = faiss.IndexFlatL2(WIDTH)
        index.add(frames)
        _, closest = index.search(frames, max(NEIGHBORS) + FRAMES)
        others = owner[closest] != owner[:, None]
        first = np.argsort(~others, axis=1, kind="stable")[:, : max(NEIGHBORS)]
        hits = phases[np.take_along_axis(closest, first, axis=1)] == phases[:, None]
        return [float(hits[:, :count].mean()) for count in NEIGHBORS]

    ours = [found.precision for found in retrieve_frames(videos, NEIGHBORS)]
    check_equal("faiss", work(), ours, rtol=0, atol=1e-3)
    return work


def _scipy_tau(per_video: Sequence[NDArray[np.int64]]) -> Work:
    from scipy.stats import kendalltau  # noqa: PLC0415

    def work() -> None:
        for sequences in per_video:
            time = np.arange(sequences.shape[1])
            for row in sequences:
                kendalltau(time, row)

    return work


def _numba(query: NDArray[np.float64], key: NDArray[np.float64]) -> Work:
    import numba  # noqa: PLC0415

    def accumulate(costs: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = np.full((costs.shape[0] + 1, costs.shape[1] + 1), np.inf)
        totals[0, 0] = 0.0
        for row in range(costs.shape[0]):
            for column in range(costs.shape[1]):
                before = min(totals[row, column], totals[row, column + 1], totals[row + 1, column])
                totals[row + 1, column + 1] = costs[row, column] + before
        return totals

    def backtrack(totals: NDArray[np.float64]) -> list[tuple[int, int]]:
        row, column = totals.shape[0] - 1, totals.shape[1] - 1
        steps = [(row - 1, column - 1)]
        while row > 1 or column > 1:
            diagonal, above, left = (
                totals[row - 1, column - 1],
                totals[row - 1, column],
                totals[row, column - 1],
            )
            if min(diagonal, above) <= left:
                row -= 1
            if diagonal <= above or left < above:
                column -= 1
            steps.append((row - 1, column - 1))
        return steps

    compiled_accumulate, compiled_backtrack = numba.njit(accumulate), numba.njit(backtrack)

    def work() -> list[tuple[int, int]]:
        steps: list[tuple[int, int]] = compiled_backtrack(compiled_accumulate(squared_distances(query, key)))
        return steps

    ours = dynamic_time_warping(query, key)
    check_equal("numba", work()[::-1], np.stack([ours.query, ours.key], axis=1))
    return work


def _dtaidistance(query: NDArray[np.float64], key: NDArray[np.float64]) -> Work:
    from dtaidistance import dtw, dtw_ndim  # noqa: PLC0415

    def work() -> float:
        distance, totals = dtw_ndim.warping_paths_fast(query, key)
        dtw.best_path(totals)
        return float(distance)

    check_equal("dtaidistance", work() ** 2, dynamic_time_warping(query, key).distance)
    return work


def _result(medians: Medians, how: str, rivals: Sequence[Rival] = ()) -> Result:
    result = Result(
        ratio=medians.ratio, ours=medians.ours, reference=medians.reference, unit="seconds", how=HOW + how
    )
    return with_peer(result, rivals)
