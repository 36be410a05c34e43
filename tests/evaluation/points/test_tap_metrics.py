"""TAP-Vid's measures against the paper's definitions, counted point by point in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.points.tap_metrics import DISTANCES, TapTruth, tap_scores


def share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def slow_scores(
    truth: TapTruth, positions: np.ndarray, visible: np.ndarray
) -> tuple[list[float], float, list[float]]:
    """Section 3.2 of the paper, one query and one frame at a time."""
    queries, frames = visible.shape
    counted = [(q, t) for q in range(queries) for t in range(frames) if truth.evaluated[q, t]]
    agreed = sum(bool(visible[q, t]) == bool(truth.visible[q, t]) for q, t in counted)
    within, jaccard = [], []
    for limit in (1, 2, 4, 8, 16):
        shown = right = true_positives = false_positives = false_negatives = 0
        for q, t in counted:
            x, y = 256 * positions[q, t, 0], 256 * positions[q, t, 1]
            true_x, true_y = 256 * truth.positions[q, t, 0], 256 * truth.positions[q, t, 1]
            near = (x - true_x) ** 2 + (y - true_y) ** 2 < limit**2
            if truth.visible[q, t]:
                shown += 1
                right += near
            if visible[q, t] and truth.visible[q, t] and near:
                true_positives += 1
            elif truth.visible[q, t]:
                false_negatives += 1
                false_positives += bool(visible[q, t])  # at a wrong place: counts both ways, as published
            elif visible[q, t]:
                false_positives += 1
        within.append(share(right, shown))
        jaccard.append(share(true_positives, true_positives + false_positives + false_negatives))
    return within, share(agreed, len(counted)), jaccard


@st.composite
def videos(draw: st.DrawFn) -> tuple[TapTruth, np.ndarray, np.ndarray]:
    queries, frames = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    true = rng.random((queries, frames, 2))
    error = rng.choice([0, 0.5, 1, 1.5, 3, 4, 7, 9, 20], (queries, frames, 1)) / 256
    direction = rng.choice([0, 1, 0.6], (queries, frames, 1))
    offset = np.concatenate([direction, np.sqrt(1 - direction**2)], axis=-1) * error
    flags = [rng.random((queries, frames)) < draw(st.sampled_from([0, 0.5, 1])) for _ in range(3)]
    return TapTruth(true, flags[0], flags[1]), true + offset, flags[2]


@given(videos())
def test_measures_are_those_of_the_paper(case: tuple[TapTruth, np.ndarray, np.ndarray]) -> None:
    truth, positions, visible = case
    within, accuracy, jaccard = slow_scores(truth, positions, visible)
    found = tap_scores(truth, positions, visible)
    np.testing.assert_allclose(found.within, within, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.occlusion_accuracy, accuracy, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.jaccard, jaccard, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.average_delta, np.mean(within), atol=1e-12)
    np.testing.assert_allclose(found.average_jaccard, np.mean(jaccard), atol=1e-12)


def truth_of(visible: list[list[bool]]) -> TapTruth:
    flags = np.array(visible)
    return TapTruth(np.full((*flags.shape, 2), 0.5), flags, np.ones_like(flags))


def test_the_truth_has_full_marks() -> None:
    truth = truth_of([[True, False, True]])
    scores = tap_scores(truth, truth.positions, truth.visible)
    assert (scores.average_delta, scores.occlusion_accuracy, scores.average_jaccard) == (1, 1, 1)


def test_by_hand() -> None:
    """Four frames: right; three pixels off; hidden but found visible; visible but found hidden, and right."""
    truth = truth_of([[True, True, False, True]])
    positions = truth.positions.copy()
    positions[0, 1, 0] += 3 / 256
    scores = tap_scores(truth, positions, np.array([[True, True, True, False]]))
    assert DISTANCES == (1, 2, 4, 8, 16)
    assert scores.within.tolist() == pytest.approx([2 / 3, 2 / 3, 1, 1, 1])
    assert scores.occlusion_accuracy == 0.5
    # At 1 and 2 pixels: one hit of three visible and two false claims; farther: two hits of three and one.
    assert scores.jaccard.tolist() == pytest.approx([1 / 5, 1 / 5, 2 / 4, 2 / 4, 2 / 4])
