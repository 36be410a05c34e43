"""Evaluation tasks and alignment against recorded scores."""

import json
from typing import Any

import numpy as np

from tests.parity.discovery import Case
from vidrep_pipelines.evaluation.frame_embeddings.alignment import dynamic_time_warping, nearest_frames
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet, split_by_length
from vidrep_pipelines.evaluation.frame_embeddings.kendall_tau import kendall_tau
from vidrep_pipelines.evaluation.frame_embeddings.phase_classification import classify_phases
from vidrep_pipelines.evaluation.frame_embeddings.phase_progression import score_progression
from vidrep_pipelines.evaluation.frame_embeddings.retrieval import retrieve_frames


class _Recorded:
    """The recorded embeddings and scores of one data set."""

    def __init__(self, case: Case) -> None:
        self.expected: dict[str, Any] = json.loads((case.folder / "expected.json").read_text())
        with np.load(case.folder / "case.npz", allow_pickle=False) as file:
            self.arrays = {name: file[name] for name in file.files}

    def videos(self, split: str) -> EmbeddingSet:
        parts = (self.arrays[f"{split}_{part}"] for part in ("embs", "labels", "lens"))
        return split_by_length(*parts)

    def scalar(self, group: str, ending: str) -> float:
        """The recorded scalar of a group whose name, without its data set, is ``ending``."""
        name = self.expected["dataset_name"]
        found = [
            value
            for key, value in self.expected["scalars"].items()
            if key.startswith(f"{group}/") and key.replace(f"{name}_", "", 1).endswith(ending)
        ]
        assert len(found) == 1, (group, ending, list(self.expected["scalars"]))
        return float(found[0])


def check_phase_classification(case: Case) -> None:
    recorded = _Recorded(case)
    results = classify_phases(
        recorded.videos("train"), recorded.videos("val"), recorded.expected["fractions"]
    )
    for result in results:
        train = recorded.scalar("classification", f"/train_{result.fraction}_accuracy")
        validation = recorded.scalar("classification", f"/val_{result.fraction}_accuracy")
        assert abs(result.train_accuracy - train) <= 0.003
        assert abs(result.accuracy - validation) <= 0.003
    assert abs(results[-1].accuracy - recorded.expected["returned"]["classification"]) <= 0.003


def check_phase_progression(case: Case) -> None:
    recorded = _Recorded(case)
    results = score_progression(
        recorded.videos("train"),
        recorded.videos("val"),
        recorded.expected["num_classes"],
        recorded.expected["fractions"],
    )
    for result in results:
        train = recorded.scalar("event_completion", f"/train_{result.fraction}_score")
        validation = recorded.scalar("event_completion", f"/val_{result.fraction}_score")
        np.testing.assert_allclose([result.train_score, result.score], [train, validation], atol=1e-6)
    np.testing.assert_allclose(
        results[-1].score, recorded.expected["returned"]["event_completion"], atol=1e-6
    )


def check_kendall_tau(case: Case) -> None:
    recorded = _Recorded(case)
    stride = recorded.expected["stride"]
    for split in ("train", "val"):
        result = kendall_tau(recorded.videos(split), stride)
        expected = recorded.scalar("kendalls_tau", f"/{split}_align_tau")
        np.testing.assert_allclose(result.tau, expected, atol=1e-9)
    np.testing.assert_allclose(result.pairs, recorded.arrays["val_pair_tau"], atol=1e-9)
    np.testing.assert_allclose(result.tau, recorded.expected["returned"]["kendalls_tau"], atol=1e-9)


def check_retrieval(case: Case) -> None:
    recorded = _Recorded(case)
    results = retrieve_frames(
        recorded.videos("val"), recorded.expected["retrieval_ks"], recorded.expected["stride"]
    )
    for result in results:
        expected = recorded.scalar("AP", f" {result.neighbors}_align_precision")
        np.testing.assert_allclose(result.precision, expected, atol=1e-9)
    np.testing.assert_allclose(results[0].precision, recorded.expected["returned"]["retrieval"], atol=1e-9)


def check_alignment(case: Case) -> None:
    with np.load(case.folder / "dtw.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for name in sorted({key.partition("_")[0] for key in arrays}):
        query, key = arrays[f"{name}_x"], arrays[f"{name}_y"]
        warping = dynamic_time_warping(query, key)
        np.testing.assert_allclose(warping.distance, arrays[f"{name}_distance"], rtol=1e-9)
        np.testing.assert_allclose(warping.accumulated, arrays[f"{name}_acc"], rtol=1e-9)
        np.testing.assert_array_equal(warping.query, arrays[f"{name}_path_q"])
        np.testing.assert_array_equal(warping.key, arrays[f"{name}_path_k"])
        np.testing.assert_array_equal(warping.first_match(), arrays[f"{name}_nn_dtw"])
        np.testing.assert_array_equal(nearest_frames(query, key), arrays[f"{name}_nn_argmin"])


EVALUATION_CHECKS = (
    check_phase_classification,
    check_phase_progression,
    check_kendall_tau,
    check_retrieval,
)
ALIGNMENT_CHECKS = (check_alignment,)
