from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.occupancy_chains import TRAIN, chains_config
from vidrep_pipelines.adapters.occupancy_chains_config import (
    ChainLearnerConfig,
)
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.downstream_eval.occupancy_chains_nodes import (
    compare_chain_runs,
    plan_chain_runs,
)


def digests(job: Job) -> dict[str, str]:
    return {item.id: item.digest for item in job.items}


def test_a_run_per_chain_learner_and_seed() -> None:
    job = plan_chain_runs(chains_config(), FanOutConfig())
    found = digests(job)
    assert len(found) == 8 == len(set(found.values()))
    assert "plain/1/geometric/1" in found
    payload = {item.id: item.payload for item in job.items}["plain/1/geometric/1"]
    assert (payload.chain_seed, payload.run.train.seed) == (1, 1)
    assert payload.run.learner.target_config(0.7).gamma == 0.7


def test_a_change_redoes_the_runs_that_it_concerns() -> None:
    before = digests(plan_chain_runs(chains_config(), FanOutConfig()))
    learners = {**chains_config().learners, "geometric": ChainLearnerConfig(target="n_step", steps=3)}
    after = digests(plan_chain_runs(chains_config(learners=learners), FanOutConfig()))
    assert {name for name in before if before[name] != after[name]} == {
        name for name in before if "geometric" in name
    }
    logged = TRAIN.model_copy(update={"log_every_steps": 3})
    assert digests(plan_chain_runs(chains_config(train=logged), FanOutConfig())) == before
    longer = TRAIN.model_copy(update={"steps": 6})
    assert not set(digests(plan_chain_runs(chains_config(train=longer), FanOutConfig())).values()) & set(
        before.values()
    )


def test_nothing_to_compare() -> None:
    table = pd.DataFrame([{"id": "plain/0/published/0", "status": "failed", "error": "out of memory"}])
    with pytest.raises(InputError, match="the first: out of memory"):
        compare_chain_runs(Parts(Path(), table, (".parquet",)), chains_config(), TrackingConfig())
