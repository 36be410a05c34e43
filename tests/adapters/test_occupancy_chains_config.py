from typing import Any

import pytest
from pydantic import ValidationError

from tests.helpers.occupancy_chains import TINY, chains_config
from vidrep_pipelines.adapters.occupancy_chains_config import (
    ChainLearnerConfig,
    ChainNetworkConfig,
)
from vidrep_pipelines.training.config import TrainConfig


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
        chains_config(**changes)


def test_learners_that_make_no_sense() -> None:
    with pytest.raises(ValidationError, match=r"needs target\.kind: n_step"):
        ChainLearnerConfig(target="geometric", steps=2)
    with pytest.raises(ValidationError, match="no multiple of heads"):
        ChainNetworkConfig(width=10, heads=4)
