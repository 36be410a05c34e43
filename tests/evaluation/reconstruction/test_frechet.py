import numpy as np
import pytest
from benchmarks.reference.reconstruction_metrics_published import published_frechet_distance
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance


def features(samples: int, numbers: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, numbers)) * rng.uniform(0.5, 2, numbers) + rng.normal(size=numbers)


@settings(deadline=None, max_examples=25)
@given(st.integers(20, 40), st.integers(20, 40), st.integers(2, 8), st.integers(0, 99))
def test_is_the_published_distance(n: int, m: int, D: int, seed: int) -> None:
    real, other = features(n, D, seed), features(m, D, seed + 1)
    assert frechet_distance(real, other) == pytest.approx(published_frechet_distance(real, other), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(6, 9), (6, 40), (40, 6)])
def test_fewer_samples_than_features(n: int, m: int) -> None:
    real, other = features(n, 20, 0), features(m, 20, 1)
    assert frechet_distance(real, other) == pytest.approx(published_frechet_distance(real, other), rel=1e-4)


@pytest.mark.parametrize("least", [1.0, 1e-3, 1e-7, 0.0])
def test_covariances_of_any_rank_give_what_singular_values_do(least: float) -> None:
    scales = np.geomspace(1, max(least, 1e-9), 30) * (np.arange(30) < 29 if least == 0 else 1)
    real, other = (np.random.default_rng(seed).normal(size=(200, 30)) * scales for seed in (0, 1))
    first, second = ((x - x.mean(0)) / np.sqrt(199) for x in (real, other))
    root = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    shift = np.square(real.mean(0) - other.mean(0)).sum()
    expected = shift + np.square(first).sum() + np.square(second).sum() - 2 * root
    assert frechet_distance(real, other) == pytest.approx(expected, rel=1e-9)


def test_same_features_of_full_rank_have_no_distance() -> None:
    real = features(300, 40, 0)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)


def test_moments_of_one_number() -> None:
    real, other = np.array([[0.0], [2.0]]), np.array([[5.0], [9.0]])
    assert frechet_distance(real, other) == pytest.approx(6**2 + (8**0.5 - 2**0.5) ** 2)


def test_same_features_have_no_distance() -> None:
    real = features(30, 50, 0)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)


def test_bad_features() -> None:
    good = features(5, 4, 0)
    with pytest.raises(InputError, match="two or more"):
        frechet_distance(good[:1], good)
    with pytest.raises(InputError, match="4 and 3"):
        frechet_distance(good, good[:, :3])
    with pytest.raises(InputError, match="not finite"):
        frechet_distance(good, np.full((5, 4), np.nan))
