"""What the toy chains must show: exact answers, and how close models that are trained on them come."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.adapters.occupancy_chains import train_on_chain
from vidrep_pipelines.adapters.occupancy_chains_config import (
    ChainLearnerConfig,
    ChainRunConfig,
)
from vidrep_pipelines.evaluation.occupancy.markov_chain import (
    ChainScores,
    CodewordProbability,
    MarkovChain,
    discounted_occupancy,
    load_chain,
    modeled_occupancy,
    score_chain,
)
from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig

EXACT = 1e-6
PUBLISHED = ChainLearnerConfig(top_k=50, target_dropout=True, dropout=0.2)
GEOMETRIC = ChainLearnerConfig(target="geometric")
TRAIN = TrainConfig(
    steps=1000,
    batch_size=64,
    ema_decay=0.99,
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=50, betas=(0.9, 0.999), weight_decay=0.1),
)


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

    Both see equally many updates on equally large batches.
    """
    chain = load_chain(file)
    return {"published": _learned(chain, PUBLISHED), "geometric": _learned(chain, GEOMETRIC)}


def _learned(chain: MarkovChain, learner: ChainLearnerConfig) -> ChainScores:
    curve = train_on_chain(chain, ChainRunConfig(learner=learner, train=TRAIN, measurements=1))
    return curve[max(curve)]


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
