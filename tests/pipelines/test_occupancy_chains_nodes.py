from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from vidrep_pipelines.adapters.occupancy_chains import (
    ChainItem,
    chain_episodes,
    chain_task,
    learn_chain,
    train_on_chain,
)
from vidrep_pipelines.adapters.occupancy_chains_config import (
    ChainLearnerConfig,
    ChainNetworkConfig,
    ChainRunConfig,
    OccupancyChainsConfig,
)
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.chain_config import RandomChainConfig
from vidrep_pipelines.evaluation.occupancy.random_chain import random_chain
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.downstream_eval.occupancy_chains_nodes import (
    compare_chain_runs,
    plan_chain_runs,
)
from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig

TINY = RandomChainConfig(states=3, successors=2, tokens=2, vocabulary=4, episodes=6, steps=9)
TRAIN = TrainConfig(steps=5, batch_size=4, optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=1))
NETWORK = ChainNetworkConfig(layers=1, heads=1, width=8)


def config(**changes: Any) -> OccupancyChainsConfig:
    fields: dict[str, Any] = {
        "kinds": {"plain": TINY},
        "learners": {
            "published": ChainLearnerConfig(top_k=2, target_dropout=True, dropout=0.1),
            "geometric": ChainLearnerConfig(target="geometric"),
        },
        "chains": 2,
        "seeds": 2,
        "network": NETWORK,
        "train": TRAIN,
    }
    return OccupancyChainsConfig(**{**fields, **changes})


def digests(job: Job) -> dict[str, str]:
    return {item.id: item.digest for item in job.items}


def test_a_run_per_chain_learner_and_seed() -> None:
    job = plan_chain_runs(config(), FanOutConfig())
    found = digests(job)
    assert len(found) == 8 == len(set(found.values()))
    assert "plain/1/geometric/1" in found
    payload = {item.id: item.payload for item in job.items}["plain/1/geometric/1"]
    assert (payload.chain_seed, payload.run.train.seed) == (1, 1)
    assert payload.run.learner.target_config(0.7).gamma == 0.7


def test_a_change_redoes_the_runs_that_it_concerns() -> None:
    before = digests(plan_chain_runs(config(), FanOutConfig()))
    learners = {**config().learners, "geometric": ChainLearnerConfig(target="n_step", steps=3)}
    after = digests(plan_chain_runs(config(learners=learners), FanOutConfig()))
    assert {name for name in before if before[name] != after[name]} == {
        name for name in before if "geometric" in name
    }
    logged = TRAIN.model_copy(update={"log_every_steps": 3})
    assert digests(plan_chain_runs(config(train=logged), FanOutConfig())) == before
    longer = TRAIN.model_copy(update={"steps": 6})
    assert not set(digests(plan_chain_runs(config(train=longer), FanOutConfig())).values()) & set(
        before.values()
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "td"}, "'td' is none of the learners"),
        ({"kinds": {"a/b": TINY}}, "must not contain a slash"),
        ({"train": TrainConfig(epochs=3)}, "set train.steps"),
    ],
)
def test_configurations_that_make_no_sense(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**changes)


def test_learners_that_make_no_sense() -> None:
    with pytest.raises(ValidationError, match=r"needs target\.kind: n_step"):
        ChainLearnerConfig(target="geometric", steps=2)
    with pytest.raises(ValidationError, match="no multiple of heads"):
        ChainNetworkConfig(width=10, heads=4)


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


@pytest.mark.parametrize("learner", config().learners.values(), ids=list(config().learners))
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


def test_nothing_to_compare() -> None:
    table = pd.DataFrame([{"id": "plain/0/published/0", "status": "failed", "error": "out of memory"}])
    with pytest.raises(InputError, match="the first: out of memory"):
        compare_chain_runs(Parts(Path(), table, (".parquet",)), config(), TrackingConfig())
