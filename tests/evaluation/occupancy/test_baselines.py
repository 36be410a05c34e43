import numpy as np
import pytest

from vidrep_pipelines.evaluation.occupancy.baselines import (
    TokenCountRegression,
    TokenPlaceRegression,
    shared_places,
    token_counts,
)


def test_token_counts() -> None:
    counts = token_counts(np.array([[0, 2, 2], [1, 1, 1]]), 4)
    np.testing.assert_array_equal(counts, [[1, 0, 2, 0], [0, 3, 0, 0]])


def test_regression_finds_linear_returns_and_shrinks_noise() -> None:
    rng = np.random.default_rng(0)
    worth = rng.standard_normal(8)
    states, unseen = rng.integers(8, size=(300, 5)), rng.integers(8, size=(50, 5))
    linear = TokenCountRegression(states, worth[states].sum(1), 8)
    np.testing.assert_allclose(linear.predict(unseen), worth[unseen].sum(1), atol=1e-2)
    noise = TokenCountRegression(states, rng.standard_normal(300), 8).predict(unseen)
    assert noise.std() < 0.3


def test_shared_places() -> None:
    one, other = np.array([[0, 2, 2]]), np.array([[0, 2, 1], [2, 0, 2], [1, 1, 1]])
    np.testing.assert_array_equal(shared_places(one, other), [[2, 1, 0]])


def test_regression_per_place_finds_what_counts_cannot_tell() -> None:
    rng = np.random.default_rng(1)
    worth = rng.standard_normal((4, 6))  # of a token, by its place
    states, unseen = rng.integers(6, size=(400, 4)), rng.integers(6, size=(80, 4))
    returns, wanted = (worth[np.arange(4), part].sum(axis=1) + 3 for part in (states, unseen))
    placed = TokenPlaceRegression(states, returns, np.repeat(np.arange(40), 10)).predict(unseen)
    counted = TokenCountRegression(states, returns, 6).predict(unseen)
    np.testing.assert_allclose(placed, wanted, atol=0.05)
    assert np.abs(counted - wanted).mean() > 0.5


def test_regression_per_place_shrinks_noise_of_whole_episodes() -> None:
    """States of an episode share their noise: a penalty chosen state by state would be the smallest."""
    rng = np.random.default_rng(2)
    states = np.repeat(rng.integers(50, size=(30, 8)), 10, axis=0)
    episode = np.repeat(np.arange(30), 10)
    guesses = TokenPlaceRegression(states, rng.standard_normal(30)[episode], episode).predict(states)
    assert guesses.std() < 0.7


@pytest.mark.parametrize("count", [1, 2])
def test_regression_per_place_of_few_states(count: int) -> None:
    states = np.arange(count)[:, None]
    fitted = TokenPlaceRegression(states, np.full(count, 2.5), np.zeros(count, np.int64))
    np.testing.assert_allclose(fitted.predict(states), 2.5)
