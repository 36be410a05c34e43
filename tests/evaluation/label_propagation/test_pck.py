import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.pck import THRESHOLDS, joint_distances, pck

IMAGE, GRID = (240, 320), (20, 20)


def video(rng, frames, lost_share=0.2):
    truth = rng.uniform(-5, 240, (2, 15, frames))
    predicted = (truth - 1) * 20 / np.array([320, 240])[:, None, None] + rng.normal(0, 1, truth.shape)
    predicted[:, rng.random((15, frames)) < lost_share] = -1
    return truth, predicted


def pck_slowly(videos, threshold):
    """Joint by joint and frame by frame, from the definition."""
    shares = []
    for joint in range(15):
        hits = []
        for truth, predicted in videos:
            for frame in range(1, truth.shape[2]):
                seen = [k for k in range(15) if predicted[0, k, frame] >= 0]
                if joint not in seen:
                    continue
                xs, ys = ([truth[axis, k, frame] - 1 for k in seen] for axis in (0, 1))
                box = 0.6 * math.hypot(max(xs) - min(xs), max(ys) - min(ys))
                x, y = predicted[0, joint, frame] / 20 * 320, predicted[1, joint, frame] / 20 * 240
                error = math.hypot(x - truth[0, joint, frame] + 1, y - truth[1, joint, frame] + 1)
                hits.append(error <= threshold * box)
        shares.append(100 * sum(hits) / len(hits))
    return sum(shares) / len(shares)


@given(st.integers(0, 2**31))
def test_the_score_follows_its_definition(seed):
    rng = np.random.default_rng(seed)
    videos = [video(rng, frames) for frames in (8, 12)]
    score = pck([joint_distances(*pair, IMAGE, GRID) for pair in videos])
    np.testing.assert_allclose(score.mean, [pck_slowly(videos, a) for a in THRESHOLDS], atol=1e-9)
    lost = sum((predicted[0, :, 1:] < 0).sum() for _, predicted in videos)
    assert score.excluded_share == pytest.approx(lost / (15 * (7 + 11)))


def test_perfect_tracks_score_everything():
    truth, _ = video(np.random.default_rng(0), 5)
    truth += 10
    perfect = (truth - 1) * 20 / np.array([320, 240])[:, None, None]
    score = pck([joint_distances(truth, perfect, IMAGE, GRID)])
    assert score.mean.tolist() == pytest.approx([100] * 5)
    assert score.excluded_share == 0


def test_a_joint_that_is_always_lost_is_left_out_of_the_mean_but_reported():
    truth, predicted = video(np.random.default_rng(0), 6, lost_share=0)
    predicted = np.abs(predicted)
    predicted[:, 3] = -1
    score = pck([joint_distances(truth, predicted, IMAGE, GRID)])
    assert np.isnan(score.per_joint[:, 3]).all()
    assert np.isfinite(score.mean).all()
    assert score.excluded_share == pytest.approx(1 / 15)


def test_nothing_tracked_and_unequal_lengths_are_errors():
    truth, predicted = video(np.random.default_rng(0), 6)
    with pytest.raises(ResultMismatchError, match=r"wave/clip 7.*\(2, 15, 5\).*\(2, 15, 6\)"):
        joint_distances(truth, predicted[:, :, :5], IMAGE, GRID, "wave/clip 7")
    with pytest.raises(ResultMismatchError, match="no joint"):
        pck([joint_distances(truth, np.full_like(truth, -1), IMAGE, GRID)])


def test_joints_without_annotation_neither_count_nor_widen_the_body():
    rng = np.random.default_rng(1)
    truth, predicted = video(rng, 7, lost_share=0.1)
    without = truth.copy()
    without[:, 4, 3:] = np.nan
    found = joint_distances(without, predicted, IMAGE, GRID)
    expected = joint_distances(truth, np.where(np.isnan(without), -1, predicted), IMAGE, GRID)
    kept = ~np.isnan(without[0, :, 1:])
    np.testing.assert_array_equal(found.counted, expected.counted)
    np.testing.assert_array_equal(found.distance[kept], expected.distance[kept])
    assert np.isnan(found.distance[~kept]).all()
    score, as_if_lost = pck([found]), pck([expected])
    np.testing.assert_array_equal(score.per_joint, as_if_lost.per_joint)
    lost = int((predicted[0, :, 1:] < 0)[kept].sum())
    assert score.excluded_share == pytest.approx(lost / kept.sum()), "of the annotated ones"


def test_joints_out_of_the_picture_that_were_never_found_cost_nothing():
    truth, predicted = video(np.random.default_rng(2), 6, lost_share=0)
    predicted = abs(predicted)
    truth[:, 3], predicted[:, 3] = -1, -1
    score = pck([joint_distances(truth, predicted, IMAGE, GRID)])
    assert np.isnan(score.per_joint[:, 3]).all()
    assert score.excluded_share == pytest.approx(1 / 15)
