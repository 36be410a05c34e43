"""What is published of a planned training."""

import json

from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.task import load_task


def assert_published_as_planned(spec: TrainSpec, *fields: str) -> None:
    """The configuration beside the weights is, to the letter, what the plan says: digests are taken of it."""
    expected = {name: spec.task_config[name] for name in fields}
    found = load_task(spec).checkpoint_config()
    assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)
