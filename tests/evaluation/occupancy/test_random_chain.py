import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.occupancy.chain_config import RandomChainConfig
from vidrep_pipelines.evaluation.occupancy.random_chain import random_chain

SMALL = RandomChainConfig(states=4, successors=2, codewords=2, tokens=2, vocabulary=5, episodes=200, steps=50)


@settings(deadline=None, max_examples=25)
@given(
    states=st.integers(2, 9),
    successors=st.integers(1, 9),
    codewords=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_every_chain_is_one(states: int, successors: int, codewords: int, seed: int) -> None:
    successors = min(successors, states)
    config = RandomChainConfig(
        states=states,
        successors=successors,
        least_visits=0.01,
        codewords=codewords,
        tokens=3,
        vocabulary=4,
        episodes=3,
        steps=7,
    )
    chain = random_chain(config, seed)
    np.testing.assert_allclose(chain.transitions.sum(axis=1), 1)
    assert ((chain.transitions > 0).sum(axis=1) == successors).all()
    reachable = np.linalg.matrix_power(chain.transitions + np.eye(states), states) > 0
    assert reachable.all(), "every state follows every state"
    words = chain.codewords.reshape(-1, 3)
    assert len(np.unique(words, axis=0)) == states * codewords
    assert words.min() >= 0 and words.max() < config.vocabulary == chain.vocabulary
    np.testing.assert_allclose(chain.codeword_probability.sum(axis=1), 1)
    assert chain.states.shape == chain.emission.shape == (3, 8)
    assert (chain.transitions[chain.states[:, :-1], chain.states[:, 1:]] > 0).all()
    assert chain.emission.max() < codewords


def test_episodes_follow_the_probabilities() -> None:
    chain = random_chain(SMALL, 3)
    np.testing.assert_allclose(chain.counted_transitions(), chain.transitions, atol=0.05)
    first = np.stack([chain.emission[chain.states == state].mean() for state in range(4)])
    np.testing.assert_allclose(first, chain.codeword_probability[:, 1], atol=0.05)


def test_no_state_is_rare() -> None:
    config = RandomChainConfig(states=6, least_visits=0.5, tokens=2, episodes=300, steps=100)
    for seed in range(5):
        visits = np.bincount(random_chain(config, seed).states[:, 20:].ravel(), minlength=6)
        assert visits.min() > 0.4 * visits.mean()


def test_chains_that_never_turn_up() -> None:
    config = RandomChainConfig(states=30, concentration=0.1, least_visits=0.5)
    with pytest.raises(ConfigurationError, match="lower least_visits"):
        random_chain(config, 0)


def test_seed_picks_the_chain() -> None:
    one, again, other = random_chain(SMALL, 0), random_chain(SMALL, 0), random_chain(SMALL, 1)
    np.testing.assert_array_equal(one.states, again.states)
    np.testing.assert_array_equal(one.codewords, again.codewords)
    assert not np.array_equal(one.transitions, other.transitions)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"states": 3, "successors": 4}, "successors=4 is more than the 3 states"),
        ({"states": 5, "tokens": 1, "vocabulary": 4}, "cannot tell 5 codewords apart"),
    ],
)
def test_impossible_chains(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RandomChainConfig(**{"successors": 2, **fields})
