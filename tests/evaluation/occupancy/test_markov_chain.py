from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.markov_chain import MarkovChain, load_chain, score_chain


def two_states() -> MarkovChain:
    """0 -> 1 always, 1 -> 0 or 1 evenly; state 1 looks like (1, 1) or (1, 2)."""
    return MarkovChain(
        transitions=np.array([[0.0, 1.0], [0.5, 0.5]]),
        reward=np.array([0.0, 1.0]),
        gamma=0.5,
        codewords=np.array([[[0, 0], [0, 1]], [[1, 1], [1, 2]]]),
        codeword_probability=np.array([[1.0, 0.0], [0.25, 0.75]]),
        states=np.array([[0, 1, 0, 1, 1]]),
        emission=np.array([[0, 1, 0, 0, 1]]),
        vocabulary=3,
    )


def test_occupancy_and_value_solve_their_equations() -> None:
    chain = two_states()
    step = (1 - chain.gamma) * chain.transitions
    np.testing.assert_allclose(chain.occupancy, step + chain.gamma * chain.transitions @ chain.occupancy)
    np.testing.assert_allclose(chain.value, chain.transitions @ (chain.reward + chain.gamma * chain.value))
    np.testing.assert_allclose(chain.truncated_value(1), chain.transitions @ chain.reward)
    np.testing.assert_allclose(chain.truncated_value(60), chain.value)


def test_counting_and_showing() -> None:
    chain = two_states()
    np.testing.assert_allclose(chain.counted_transitions(), [[0.0, 1.0], [0.5, 0.5]])
    assert chain.shown()[0].tolist() == [[0, 0], [1, 2], [0, 0], [1, 1], [1, 2]]


def test_scores_of_a_model_that_wastes_probability() -> None:
    chain = two_states()

    def half_of_the_truth(contexts: NDArray[np.int64], futures: NDArray[np.int64]) -> NDArray[np.float64]:
        occupancy, source, goal = chain.occupancy, contexts[:, 0], futures[:, 0]
        shares = np.where(goal == 0, np.where(futures[:, 1] == 0, 1.0, 0.0), 0.5)
        with np.errstate(divide="ignore"):
            found: NDArray[np.float64] = np.log(occupancy[source, goal] * shares / 2)
        return found

    scores = score_chain(chain, half_of_the_truth)
    assert scores.invalid_mass == pytest.approx(0.5)
    assert scores.total_variation == pytest.approx(0.5)
    assert scores.value_error == pytest.approx(np.sqrt(np.mean((chain.value / 2) ** 2)))
    assert scores.renormalized_value_error == pytest.approx(0, abs=1e-12)
    assert scores.mean_value_error == pytest.approx(chain.value.std())


def test_files_that_are_no_chains(tmp_path: Path) -> None:
    path = tmp_path / "chain.npz"
    np.savez(path, P=np.eye(2))
    for bad in (path, tmp_path / "absent.npz"):
        with pytest.raises(InputError, match="no Markov chain"):
            load_chain(bad)
