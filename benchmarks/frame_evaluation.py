"""Retrieval and dynamic time warping of frame embeddings: one matrix and vectors, against the plain loops."""

import numpy as np

from benchmarks.reference.frame_evaluation_published import (
    published_precision,
    published_tau,
    published_warping,
)
from benchmarks.timing import Medians, Result, interleave
from vidrep_pipelines.evaluation.frame_embeddings.alignment import dynamic_time_warping
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet, split_by_length
from vidrep_pipelines.evaluation.frame_embeddings.kendall_tau import kendall_tau
from vidrep_pipelines.evaluation.frame_embeddings.retrieval import retrieve_frames

VIDEOS, FRAMES, WIDTH = 100, 40, 128
NEIGHBORS = (5, 10, 15)
LONG = 240
HOW = "float32 embeddings of width 128, wall time, interleaved, medians of 5 rounds; "


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
    retrieval = interleave(
        lambda: retrieve_frames(videos, NEIGHBORS),
        lambda: [published_precision(videos, count) for count in NEIGHBORS],
        rounds=5,
    )
    tau = interleave(lambda: kendall_tau(videos), lambda: published_tau(videos), rounds=5)
    warping = interleave(
        lambda: dynamic_time_warping(query, key), lambda: published_warping(query, key), rounds=5
    )
    size = f"{VIDEOS} videos of {FRAMES} frames"
    return {
        "carl_retrieval": _result(
            retrieval, f"{size}, K = 5, 10, 15; reference: all distances and a sort per K"
        ),
        "carl_tau": _result(tau, f"{size}; reference: SciPy, pair of videos after pair"),
        "carl_dtw": _result(warping, f"{LONG} against {LONG} frames; reference: cell after cell"),
    }


def _result(medians: Medians, how: str) -> Result:
    return Result(
        ratio=medians.ratio, ours=medians.ours, reference=medians.reference, unit="seconds", how=HOW + how
    )
