from typing import Any

import pytest

from tests.helpers.calvin_world import UnwillingMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.calvin.config import CalvinEvaluationConfig, CalvinPolicyConfig
from vidrep_pipelines.evaluation.calvin.contenders import (
    baseline_contenders,
    chosen_contenders,
    floor_contender,
)
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureMaker
from vidrep_pipelines.evaluation.calvin.simulator import SimulatorMaker
from vidrep_pipelines.evaluation.calvin.world import CalvinWorldMaker
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig

CONFIG = CalvinEvaluationConfig(sequences=7, rollout=RolloutConfig(execute_steps=5, most_steps=40))
TRAINED = [UnwillingMaker(), UnwillingMaker()]


def chosen(world: CalvinWorldMaker | None = None, **policy: Any) -> list[str]:
    own = CalvinPolicyConfig(**policy)
    return [one.name for one in chosen_contenders(own, CONFIG, world or MiniatureMaker(), TRAINED)]


def test_the_policy_stands_before_the_floors() -> None:
    assert chosen() == ["trained", "random", "still"]
    assert chosen(kind="expert", floors=("still",)) == ["expert", "still"]
    assert chosen(kind="still") == ["still", "random"]
    assert chosen(kind="random", floors=()) == ["random"]


def test_the_trained_policy_has_a_maker_for_each_device() -> None:
    trained, *_ = chosen_contenders(CalvinPolicyConfig(), CONFIG, SimulatorMaker(), TRAINED)
    assert [trained.maker(number) for number in range(3)] == [TRAINED[0], TRAINED[1], TRAINED[0]]
    assert (trained.attempted, trained.config) == (7, CONFIG)


def test_the_expert_knows_the_miniature_alone() -> None:
    expert, *_ = chosen_contenders(CalvinPolicyConfig(kind="expert"), CONFIG, MiniatureMaker(), [])
    policy = expert.maker(0).make()
    assert policy.chunk_length == CONFIG.rollout.execute_steps
    with pytest.raises(ConfigurationError, match=r"expert is the miniature's, not that of calvin_env/tiny"):
        chosen(SimulatorMaker(), kind="expert")


def test_baselines_need_nothing_trained() -> None:
    policy = CalvinPolicyConfig()
    assert [one.name for one in baseline_contenders(policy, CONFIG, MiniatureMaker())] == [
        "expert", "random", "still"
    ]  # fmt: skip
    assert [one.name for one in baseline_contenders(policy, CONFIG, SimulatorMaker())] == ["random", "still"]
    with pytest.raises(ConfigurationError, match=r"floors is empty"):
        baseline_contenders(CalvinPolicyConfig(floors=()), CONFIG, SimulatorMaker())


@pytest.mark.parametrize("name", ["random", "still"])
def test_a_floor_plans_an_attempt_at_once(name: Any) -> None:
    rendered = CONFIG.model_copy(update={"rollout": CONFIG.rollout.model_copy(update={"render": "always"})})
    floor = floor_contender(name, rendered, sequences=3)
    assert floor.maker(0).make().chunk_length == floor.config.rollout.execute_steps == 40
    assert floor.config.rollout.render == "when_planning"
    assert floor.attempted == 3 and floor.config.sequences == 7
    assert floor_contender(name, rendered, sequences=100).attempted == 7
