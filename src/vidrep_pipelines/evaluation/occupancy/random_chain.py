"""Markov chains drawn from a seed, with recorded episodes."""

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.evaluation.occupancy.chain_config import RandomChainConfig
from vidrep_pipelines.evaluation.occupancy.markov_chain import MarkovChain

_ATTEMPTS = 1000
_EVENNESS = 5.0  # of the choice between codewords; with 1 one of them would often hardly ever be shown


def random_chain(config: RandomChainConfig, seed: int) -> MarkovChain:
    """Draws transitions, rewards (standard normal), codewords and episodes.

    Args:
        config: Sizes.
        seed: Equal seeds give equal chains.

    Raises:
        ConfigurationError: Hardly any chain of this kind visits all states often enough.
    """
    rng = generator_for("markov chain", seed)
    n, c = config.states, config.codewords
    transitions = _random_transitions(config, rng)
    shares = rng.dirichlet(np.full(c, _EVENNESS), size=n)
    reward, codewords = rng.standard_normal(n), _random_codewords(config, rng)
    states = _walk(transitions, config.episodes, config.steps, rng)
    return MarkovChain(
        transitions=transitions,
        reward=reward,
        gamma=config.gamma,
        codewords=codewords,
        codeword_probability=shares,
        states=states,
        emission=_draw(shares[states], rng),
        vocabulary=config.vocabulary,
    )


def _random_transitions(config: RandomChainConfig, rng: np.random.Generator) -> FloatArray:
    """(n, n) of a chain that visits every state often enough.

    Raises:
        ConfigurationError: No such chain turned up.
    """
    for _ in range(_ATTEMPTS):
        transitions = _any_transitions(config, rng)
        if config.states * _long_run_shares(transitions).min() >= config.least_visits:
            return transitions
    raise ConfigurationError(
        f"None of {_ATTEMPTS} random chains of {config.states} states visits all of them at least "
        f"least_visits={config.least_visits} times as often as on the average. Remedy: lower least_visits, "
        "or raise successors or concentration."
    )


def _any_transitions(config: RandomChainConfig, rng: np.random.Generator) -> FloatArray:
    """(n, n): each state's successors are the next one of a random cycle, and others."""
    n, k = config.states, config.successors
    cycle = rng.permutation(n)
    transitions = np.zeros((n, n))
    for state, following in zip(cycle, np.roll(cycle, -1), strict=True):
        others = rng.permutation(np.delete(np.arange(n), following))[: k - 1]
        transitions[state, [following, *others]] = rng.dirichlet(np.full(k, config.concentration))
    return transitions


def _long_run_shares(transitions: FloatArray) -> FloatArray:
    """(n,): the distribution that a step does not change, by least squares."""
    n = len(transitions)
    equations = np.vstack([transitions.T - np.eye(n), np.ones(n)])
    shares: FloatArray = np.linalg.lstsq(equations, np.eye(n + 1)[-1], rcond=None)[0]
    return shares


def _random_codewords(config: RandomChainConfig, rng: np.random.Generator) -> IntArray:
    """(n, c, T) strings, all different."""
    shape = (config.vocabulary,) * config.tokens
    numbers = rng.choice(config.vocabulary**config.tokens, config.states * config.codewords, replace=False)
    words = np.stack(np.unravel_index(numbers, shape), axis=-1).astype(np.int64)
    return words.reshape(config.states, config.codewords, config.tokens)


def _walk(transitions: FloatArray, episodes: int, steps: int, rng: np.random.Generator) -> IntArray:
    """(episodes, steps + 1) states, the first ones drawn evenly."""
    states = [rng.integers(len(transitions), size=episodes)]
    for _ in range(steps):
        states.append(_draw(transitions[states[-1]], rng))
    return np.stack(states, axis=1)


def _draw(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """(...) numbers from distributions (..., k)."""
    bounds = np.cumsum(probabilities, axis=-1)
    # Rounding can leave the last bound below 1, and a draw above it.
    uniform = rng.random((*probabilities.shape[:-1], 1)) * bounds[..., -1:]
    drawn: IntArray = (uniform >= bounds).sum(axis=-1)
    return drawn
