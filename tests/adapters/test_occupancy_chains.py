"""Occupancy models trained on Markov chains."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers.occupancy_chains import NETWORK, TINY, TRAIN, chains_config
from vidrep_pipelines.adapters.occupancy_chains import (
    ChainItem,
    chain_episodes,
    chain_task,
    learn_chain,
    train_on_chain,
)
from vidrep_pipelines.adapters.occupancy_chains_config import (
    ChainLearnerConfig,
    ChainRunConfig,
)
from vidrep_pipelines.evaluation.occupancy.random_chain import random_chain


def test_episodes_become_tokens() -> None:
    chain = random_chain(TINY, 0)
    episodes = chain_episodes(chain)
    assert episodes.lengths.tolist() == [9] * 6
    states = episodes.states_of(2, 1)
    np.testing.assert_array_equal(states, chain.codewords[chain.states[2], 0])
    np.testing.assert_allclose(episodes.rewards[episodes.outcomes_of(2)], chain.reward[chain.states[2, 1:]])


def test_dropout_of_a_learner_is_everywhere(tmp_path: Path) -> None:
    learner = ChainLearnerConfig(target_dropout=True, dropout=0.3, top_k=3)
    run = ChainRunConfig(learner=learner, network=NETWORK, train=TRAIN)
    task = chain_task(random_chain(TINY, 0), tmp_path / "tokens.h5", run)
    gpt, target = task.model.gpt, task.objective.target
    assert {gpt.residual_dropout, gpt.embedding_dropout, gpt.attention_dropout} == {0.3}
    assert (target.top_k, target.dropout, target.gamma) == (3, True, TINY.gamma)


@pytest.mark.parametrize("learner", chains_config().learners.values(), ids=list(chains_config().learners))
def test_scores_while_learning(learner: ChainLearnerConfig) -> None:
    run = ChainRunConfig(learner=learner, network=NETWORK, train=TRAIN, measurements=2)
    before = torch.random.get_rng_state()
    curve = train_on_chain(random_chain(TINY, 0), run)
    assert list(curve) == [2, 4, 5]
    assert curve[2] != curve[5]
    assert train_on_chain(random_chain(TINY, 0), run) == curve
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_average_of_the_weights_is_scored_if_there_is_one() -> None:
    chain, learner = random_chain(TINY, 0), ChainLearnerConfig(target="geometric")
    plain = ChainRunConfig(learner=learner, network=NETWORK, train=TRAIN)
    averaged = ChainRunConfig(
        learner=learner, network=NETWORK, train=TRAIN.model_copy(update={"ema_decay": 0.999})
    )
    courses = [train_on_chain(chain, run) for run in (plain, averaged)]
    moves = [abs(course[5].invalid_mass - course[1].invalid_mass) for course in courses]
    assert 0 < moves[1] < moves[0] / 10


def test_training_helps(tmp_path: Path) -> None:
    train = TRAIN.model_copy(update={"steps": 120, "batch_size": 32})
    run = ChainRunConfig(
        learner=ChainLearnerConfig(target="geometric"), network=NETWORK, train=train, measurements=6
    )
    path = tmp_path / "curve.parquet"
    facts = learn_chain(ChainItem(TINY, 0, run), {".parquet": path})
    curve = pd.read_parquet(path)
    assert curve["update"].tolist() == [20, 40, 60, 80, 100, 120]
    assert curve["total_variation"].iloc[-1] < curve["total_variation"].iloc[0] / 1.5
    assert facts["total_variation"] == curve["total_variation"].iloc[-1]
