"""Scores of selections of videos, and their intervals."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet, split_by_length
from vidrep_pipelines.evaluation.frame_embeddings.phase_progression import (
    progression_targets,
    score_progression,
)
from vidrep_pipelines.evaluation.frame_embeddings.scores import (
    Resampled,
    Score,
    draw_videos,
    mean_over_frames,
    mean_over_pairs,
    mean_over_videos,
)

WEIGHTS = st.lists(st.integers(0, 3), min_size=4, max_size=4).filter(any)


def progression_videos(seed: int) -> EmbeddingSet:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(6, 12, 4)
    phases = np.concatenate([np.sort(generator.integers(0, 3, length)) for length in lengths])
    return split_by_length(generator.normal(size=(lengths.sum(), 3)), phases, lengths)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), WEIGHTS)
@example(3, [0, 1, 0, 0])  # a selection in which no frame comes before the end of a phase
def test_progression_of_a_selection_is_that_of_its_frames(seed: int, weights: list[int]) -> None:
    videos = progression_videos(seed)
    (result,) = score_progression(videos, videos, 3, [1.0])
    found = result.sums.scores(np.array([weights], dtype=float))[0]
    frames, targets = videos.stacked()[0], np.concatenate([progression_targets(v, 3) for v in videos.videos])
    copies = np.repeat(weights, videos.lengths)
    for end in range(2):
        known = ~np.isnan(targets[:, end])
        if not (known & (copies > 0)).any():
            assert np.isnan(found[end])
            continue
        design = np.column_stack([frames[known], np.ones(known.sum())])
        solution = np.linalg.lstsq(design, targets[known, end], rcond=None)[0]
        repeated = np.repeat(np.arange(known.sum()), copies[known])
        expected = r2_score(targets[known, end][repeated], (design @ solution)[repeated])
        assert found[end] == pytest.approx(expected, abs=1e-8)


@given(WEIGHTS)
def test_means_of_a_selection_are_those_of_repeated_videos(weights: list[int]) -> None:
    correct, frames = np.array([1, 4, 0, 3]), np.array([4, 5, 6, 3])
    chosen = np.repeat(np.arange(4), weights)
    asked = np.array([weights], dtype=float)
    assert mean_over_frames(correct, frames)(asked)[0] == pytest.approx(
        correct[chosen].sum() / frames[chosen].sum()
    )
    values = np.array([0.1, 0.5, 0.2, 1.0])
    assert mean_over_videos(values)(asked)[0] == pytest.approx(values[chosen].mean())
    pairs = np.arange(16.0).reshape(4, 4)
    np.fill_diagonal(pairs, np.nan)
    pairs[0, 2] = np.nan
    known = [pairs[i, j] for i in chosen for j in chosen if not np.isnan(pairs[i, j])]
    found = mean_over_pairs(pairs)(asked)[0]
    assert found == pytest.approx(np.mean(known)) if known else np.isnan(found)


def test_equal_names_draw_equal_videos() -> None:
    first, second = (draw_videos("pour", "validation", 7, 50) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first.sum(axis=1) == 7).all()
    assert (draw_videos("push", "validation", 7, 50) != first).any()


def test_intervals_are_about_those_of_theory() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    score = Score("retrieval_at_5", "pour", mean_over_videos(values), 400, "validation")
    interval = score.resampled(draw_videos("pour", "validation", 400, 4000)).interval()
    assert interval.value == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_a_lead_is_of_equal_selections() -> None:
    hard = np.linspace(0, 1, 50)
    draws = draw_videos("pour", "validation", 50, 500)
    better, worse = (
        Score("m", "pour", mean_over_videos(values), 50, "validation").resampled(draws)
        for values in (hard + 0.1, hard)
    )
    lead = better.lead_over(worse).interval()
    assert (lead.value, lead.low, lead.high) == pytest.approx((0.1, 0.1, 0.1))


def test_actions_without_a_value_do_not_count() -> None:
    one = Resampled(0.5, np.array([0.4, np.nan, 0.6]))
    none = Resampled(float("nan"), np.full(3, np.nan))
    other = Resampled(0.7, np.array([0.6, 0.7, 0.8]))
    mean = Resampled.mean([one, none, other])
    assert mean.value == pytest.approx(0.6)
    np.testing.assert_allclose(mean.samples, [0.5, 0.7, 0.7])
    assert np.isnan(Resampled.mean([none]).interval().value)
    assert np.isnan(Resampled.mean([none]).interval().low)
