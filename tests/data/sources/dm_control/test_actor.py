import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from tests.helpers.control import OBSERVATION, write_policy
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.dm_control.actor import (
    ActorFacts,
    linear_layers,
    read_actor,
    run_actor,
    write_actor,
)


def test_a_network_is_written_and_acts_the_same_when_it_is_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2), nn.Tanh()
    )
    facts = ActorFacts(
        task="cheetah_run", observation=OBSERVATION, actions=2, action_repeat=2, steps=100, returns=[3.0, 4.0]
    )
    weights, sheet = tmp_path / "actor.safetensors", tmp_path / "actor.json"
    write_actor(weights, sheet, linear_layers(network), facts)
    layers = read_actor(weights, OBSERVATION)
    states = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(states)).numpy()
    np.testing.assert_allclose([run_actor(layers, state) for state in states], expected, atol=1e-6)
    assert sorted(load_file(weights)) == sorted(
        f"layers.{number}.{name}" for number in range(3) for name in ("weight", "bias")
    )
    assert ActorFacts.model_validate(json.loads(sheet.read_text())) == facts


def test_facts_may_be_missing_but_not_be_of_another_task(tmp_path: Path) -> None:
    path = write_policy(tmp_path / "actor.safetensors")
    with pytest.raises(InputError, match=r"trained in fake_task, which observes .*position.*Remedy"):
        read_actor(path, {"height": 1, "position": 2})  # as many numbers in another order
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(InputError, match=r"actor\.json says nothing"):
        read_actor(path, OBSERVATION)
    path.with_suffix(".json").unlink()
    assert len(read_actor(path, {"height": 1, "position": 2})) == 2
    with pytest.raises(InputError, match="takes states of 3 numbers, this task has 17"):
        read_actor(path, {"position": 8, "velocity": 9})


@pytest.mark.parametrize("content", ["nothing", "other", "empty"])
def test_files_that_are_no_policy_are_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "actor.safetensors"
    if content == "nothing":
        path.write_bytes(b"")
    else:
        save_file({"encoder.weight": np.zeros((2, 2), np.float32)} if content == "other" else {}, path)
    with pytest.raises(InputError, match=r"actor\.safetensors is no trained policy"):
        read_actor(path, OBSERVATION)
    with pytest.raises(InputError, match="is no trained policy"):
        read_actor(tmp_path / "absent.safetensors", OBSERVATION)
