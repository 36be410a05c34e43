import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig


def test_the_published_evaluation_is_the_default() -> None:
    config = RolloutConfig()
    assert (config.execute_steps, config.most_steps) == (10, 360)


def test_no_more_is_executed_than_is_planned() -> None:
    RolloutConfig(execute_steps=4).check_chunk(4)
    with pytest.raises(ConfigurationError, match=r"execute_steps is 5.*at most 4"):
        RolloutConfig(execute_steps=5).check_chunk(4)
