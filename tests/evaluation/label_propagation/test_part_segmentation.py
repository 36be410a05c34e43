import numpy as np
import pytest

from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.part_segmentation import (
    VIP_CLASSES,
    confusion,
    segmentation_score,
)


def test_counts_and_scores_of_a_small_case():
    truth = np.array([[0, 0, 1, 1], [2, 2, 255, 2]], dtype=np.uint8)
    predicted = np.array([[0, 1, 1, 1], [2, 0, 2, 2]], dtype=np.uint8)
    counts = confusion(truth, predicted, 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    score = segmentation_score(counts)
    np.testing.assert_allclose(score.iou, [1 / 3, 2 / 3, 2 / 3, np.nan])
    assert score.mean_iou == pytest.approx(5 / 9)
    assert score.mean_accuracy == pytest.approx((1 / 2 + 1 + 2 / 3) / 3)
    assert score.overall_accuracy == pytest.approx(5 / 7)
    assert score.frequency_weighted_iou == pytest.approx((2 * 1 / 3 + 2 * 2 / 3 + 3 * 2 / 3) / 7)


def test_a_class_that_is_only_predicted_has_no_overlap_but_counts():
    truth, predicted = np.zeros((1, 4), dtype=np.uint8), np.array([[0, 0, 0, 1]], dtype=np.uint8)
    score = segmentation_score(confusion(truth, predicted, 3))
    np.testing.assert_allclose(score.iou, [0.75, 0, np.nan])
    assert score.mean_iou == pytest.approx(0.375)


def test_counts_agree_with_a_count_pair_by_pair_and_add_up():
    rng = np.random.default_rng(0)
    truth = rng.choice([*range(20), 255], size=(3, 8, 9)).astype(np.uint8)
    predicted = rng.integers(0, 20, (3, 8, 9)).astype(np.uint8)
    counts = confusion(truth, predicted)
    slow = [[int(((truth == a) & (predicted == b)).sum()) for b in range(20)] for a in range(20)]
    assert counts.tolist() == slow
    assert (counts == sum(confusion(*frames) for frames in zip(truth, predicted, strict=True))).all()


def test_the_given_frame_lifts_the_score_and_can_be_left_out():
    truth = np.arange(20, dtype=np.uint8).reshape(1, 4, 5).repeat(3, axis=0)
    predicted = truth.copy()
    predicted[1:] = 0
    with_first = segmentation_score(confusion(truth, predicted)).mean_iou
    without = segmentation_score(confusion(truth[1:], predicted[1:])).mean_iou
    assert with_first > without


def test_many_matrices_are_scored_at_once():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 50, (6, 4, 4))
    together = segmentation_score(counts)
    for one, mean in zip(counts, together.mean_iou, strict=True):
        assert segmentation_score(one).mean_iou == pytest.approx(mean)
    assert together.frequency_weighted_iou.shape == (6,)


def test_values_that_are_no_class_and_other_sizes_are_errors():
    truth = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(ResultMismatchError, match=r"videos7.*value 20.*19"):
        confusion(truth, np.full_like(truth, 20), name="videos7")
    with pytest.raises(ResultMismatchError, match=r"videos7.*\(2, 2\).*\(2, 3\)"):
        confusion(truth, truth[:, :2], name="videos7")


def test_there_are_twenty_classes():
    assert len(VIP_CLASSES) == len(set(VIP_CLASSES)) == 20
