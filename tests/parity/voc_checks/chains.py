"""What the toy chains must show: exact answers, and how close models that are trained on them come."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.models.voc.chain_training import ChainRun, scores_of
from vidrep_pipelines.evaluation.occupancy.markov_chain import (
    ChainScores,
    CodewordProbability,
    MarkovChain,
    discounted_occupancy,
    load_chain,
    modeled_occupancy,
    score_chain,
)
from vidrep_pipelines.models.voc.config import TargetConfig

EXACT = 1e-6
RELEASED_DROPOUT, RELEASED_TOP_K = 0.2, 50
STEPS, CONTEXTS = 16, 192


def check(file: Path) -> None:
    """Occupancy, values and counts follow from the transitions and the episodes."""
    chain = load_chain(file)
    with np.load(file, allow_pickle=False) as recorded:
        for name, found in (
            ("occupancy", chain.occupancy),
            ("value", chain.value),
            ("value_truncated", chain.truncated_value(int(recorded["truncation_steps"]))),
            ("P_empirical", chain.counted_transitions()),
            ("occupancy_empirical", discounted_occupancy(chain.counted_transitions(), chain.gamma)),
        ):
            np.testing.assert_allclose(found, recorded[name], rtol=EXACT, atol=EXACT, err_msg=name)


def check_scoring(file: Path) -> None:
    """A model that knows the occupancy makes no error; one that knows only one step makes that error."""
    chain = load_chain(file)
    perfect = score_chain(chain, _oracle(chain, chain.occupancy))
    assert max(perfect.total_variation, abs(perfect.invalid_mass), perfect.value_error) < EXACT
    np.testing.assert_allclose(modeled_occupancy(chain, _oracle(chain, chain.occupancy)), chain.occupancy)
    one_step = score_chain(chain, _oracle(chain, chain.transitions))
    expected = np.abs(chain.transitions - chain.occupancy).sum(axis=1).mean() / 2
    np.testing.assert_allclose(one_step.total_variation, expected)
    assert one_step.value_error > EXACT


def compare_targets(file: Path) -> dict[str, ChainScores]:
    """Scores of a model trained as released, with dropout that stays on in the target network, and of ours.

    Both see equally many updates. Ours takes three times as many contexts for each: what it hardly ever does,
    sampling the target network, costs the other two thirds of its time at full size.
    """
    chain = load_chain(file)
    released = TargetConfig(gamma=chain.gamma, dropout=True, top_k=RELEASED_TOP_K)
    ours = TargetConfig(kind="n_step", steps=STEPS, gamma=chain.gamma)
    return {
        "released": scores_of(chain, ChainRun(released, dropout=RELEASED_DROPOUT)),
        "n_step": scores_of(chain, ChainRun(ours, batch_size=CONTEXTS)),
    }


def _oracle(chain: MarkovChain, occupancy: NDArray[np.float64]) -> CodewordProbability:
    """Log-probabilities under which the states have just this occupancy."""
    c, T = chain.codewords.shape[1:]
    state_of = {tuple(word): divmod(number, c) for number, word in enumerate(chain.codewords.reshape(-1, T))}

    def log_probability(contexts: NDArray[np.int64], futures: NDArray[np.int64]) -> NDArray[np.float64]:
        sources = [state_of[tuple(word)][0] for word in contexts]
        places = np.array([state_of[tuple(word)] for word in futures])
        shares = chain.codeword_probability[places[:, 0], places[:, 1]]
        found: NDArray[np.float64] = np.log(occupancy[sources, places[:, 0]] * shares + 1e-300)
        return found

    return log_probability
