"""Phase classification and progression."""

import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddedVideo, EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.phase_classification import classify_phases
from vidrep_pipelines.evaluation.frame_embeddings.phase_progression import (
    progression_targets,
    score_progression,
)


def _activity(seed: int, lengths: tuple[int, ...], noise: float = 0.05) -> EmbeddedVideo:
    """A video whose embedding shows its phase and how far the video has come."""
    phases = np.repeat(np.arange(len(lengths)), lengths)
    time = np.linspace(0, 1, len(phases))
    embeddings = np.concatenate([np.eye(len(lengths))[phases], time[:, None]], axis=1)
    shaken = embeddings + np.random.default_rng(seed).normal(scale=noise, size=embeddings.shape)
    return EmbeddedVideo(f"video_{seed}", shaken, phases)


def _videos(first: int, count: int, *lengths: int) -> EmbeddingSet:
    return EmbeddingSet(tuple(_activity(first + number, lengths) for number in range(count)))


def test_clear_phases_are_classified() -> None:
    results = classify_phases(_videos(0, 6, 10, 10, 10), _videos(6, 3, 5, 9, 7))
    assert [result.fraction for result in results] == [0.1, 0.5, 1.0]
    assert results[-1].accuracy > 0.95
    np.testing.assert_array_equal(results[-1].correct <= 21, True)
    assert results[-1].correct.sum() == round(results[-1].accuracy * 63)


def test_a_single_phase_is_always_predicted() -> None:
    train = EmbeddingSet((EmbeddedVideo("a", np.eye(3), np.full(3, 2)),))
    validation = EmbeddingSet((EmbeddedVideo("b", np.eye(3)[:2], np.array([2, 0])),))
    (result,) = classify_phases(train, validation, [1.0])
    np.testing.assert_array_equal(result.predictions, [2, 2])
    assert (result.train_accuracy, result.accuracy) == (1.0, 0.5)


def test_targets_count_from_the_last_frame_of_a_phase() -> None:
    video = EmbeddedVideo("a", np.zeros((5, 1)), np.array([0, 0, 1, 1, 2]))
    expected = np.array([[-1, -3], [0, -2], [1, -1], [2, 0], [3, 1]]) / 5
    np.testing.assert_allclose(progression_targets(video, 3), expected)


def test_progression_of_clear_phases_is_predicted() -> None:
    results = score_progression(_videos(0, 8, 10, 10, 10), _videos(8, 4, 9, 9, 9), 3)
    assert results[-1].score > 0.9
    assert results[-1].absent == 0


def test_absent_phases_are_left_out_and_counted() -> None:
    train = _videos(0, 4, 10, 10, 10)
    lacking = EmbeddedVideo("b", np.random.default_rng(0).normal(size=(6, 4)), np.array([0, 0, 0, 2, 2, 2]))
    complete = _videos(5, 2, 8, 8, 8)
    (result,) = score_progression(train, EmbeddingSet((*complete.videos, lacking)), 3, [1.0])
    (without,) = score_progression(train, complete, 3, [1.0])
    assert result.absent == 1
    assert result.scores[1] == pytest.approx(without.scores[1])
    assert result.scores[0] != pytest.approx(without.scores[0])


def test_no_common_phase_is_an_error() -> None:
    train = EmbeddingSet((EmbeddedVideo("a", np.eye(3), np.array([2, 2, 2])),))
    with pytest.raises(InputError, match="no phase end"):
        score_progression(train, train, 3, [1.0])
