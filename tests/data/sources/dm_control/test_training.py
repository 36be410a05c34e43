from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.control import OBSERVATION, FakeEnvironment, write_policy
from vidrep_pipelines.common.errors import MissingExtraError
from vidrep_pipelines.data.sources.dm_control import training as dm_control_training
from vidrep_pipelines.data.sources.dm_control.actor import ActorFacts, read_actor, run_actor
from vidrep_pipelines.data.sources.dm_control.config import ControlConfig, ControlTrainingConfig
from vidrep_pipelines.data.sources.dm_control.training import (
    PolicyRequest,
    episode_return,
    policy_requests,
    train_policy_item,
)

TRAINING = ControlTrainingConfig(
    steps=120, random_steps=20, save_every=100, batch_size=8, hidden=(4, 4), evaluation_episodes=2
)
CONFIG = ControlConfig(policy="trained", training=TRAINING)


def request_for(folder: Path, **changes: Any) -> PolicyRequest:
    (request,) = policy_requests(CONFIG.model_copy(update=changes), folder)
    return request


def test_a_policy_is_trained_only_where_one_is_needed_and_none_is_named(tmp_path: Path) -> None:
    assert policy_requests(ControlConfig(policy="scripted"), tmp_path) == []
    named = ControlConfig.model_validate({"behaviors": [{"policy": "trained", "actor": "actor.safetensors"}]})
    assert policy_requests(named, tmp_path) == []
    request = request_for(tmp_path)
    assert (request.id, request.folder) == ("cheetah_run", tmp_path / "cheetah_run")


@pytest.mark.parametrize(
    ("change", "same_weights", "may_go_on"),
    [
        ({"episodes": 3, "noise": (0.5,), "size": 64}, True, True),
        ({"training": TRAINING.model_copy(update={"save_every": 300, "evaluation_episodes": 9})}, True, True),
        ({"training": TRAINING.model_copy(update={"steps": 240})}, False, True),
        ({"training": TRAINING.model_copy(update={"seed": 1})}, False, False),
        ({"training": TRAINING.model_copy(update={"hidden": (8,)})}, False, False),
        ({"task": "walk"}, False, False),
        ({"action_repeat": 4}, False, False),
    ],
)
def test_digests_follow_what_the_weights_depend_on(
    change: dict[str, Any], same_weights: bool, may_go_on: bool, tmp_path: Path
) -> None:
    one, other = request_for(tmp_path), request_for(tmp_path / "elsewhere", **change)
    assert (one.digest == other.digest) is same_weights
    assert (one.lineage == other.lineage) is may_go_on


def test_the_return_of_a_policy_is_that_of_its_actions(tmp_path: Path) -> None:
    layers = read_actor(write_policy(tmp_path / "actor.safetensors"), OBSERVATION)
    environment = FakeEnvironment()
    total = episode_return(environment, layers, action_repeat=2)
    expected = 0.0
    for step in range(11):  # an action lasts two steps
        wanted = run_actor(layers, np.array([step - step % 2, step - step % 2, 0.5], np.float32))
        expected += wanted[0] + wanted[1] + 1
    assert total == pytest.approx(expected)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dm_control", None)
    with pytest.raises(MissingExtraError, match=r"\[robots\]"):
        train_policy_item(request_for(tmp_path), {})


@pytest.fixture
def fake_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library without the simulator."""
    pytest.importorskip("stable_baselines3", reason="needs the extra robots")
    monkeypatch.setattr(dm_control_training, "load_environment", lambda *_: FakeEnvironment())
    monkeypatch.setattr(dm_control_training, "require_extra", lambda *_: None)


def train(request: PolicyRequest, folder: Path) -> tuple[dict[str, Any], Path]:
    outputs = {suffix: folder / f"policy{suffix}" for suffix in (".safetensors", ".json")}
    return dict(train_policy_item(request, outputs)), outputs[".safetensors"]


@pytest.mark.usefixtures("fake_task")
def test_training_writes_the_policy_that_the_library_has(tmp_path: Path) -> None:
    from vidrep_pipelines.data.sources.dm_control.gymnasium import ControlGymnasium
    from vidrep_pipelines.data.sources.dm_control.sac import SacTraining

    request = request_for(tmp_path)
    row, path = train(request, tmp_path)
    facts = ActorFacts.model_validate_json(path.with_suffix(".json").read_bytes())
    assert facts.observation == OBSERVATION and (facts.actions, facts.steps) == (2, 120)
    assert row == {"actions": 120, "mean_return": pytest.approx(np.mean(facts.returns))}
    environment = ControlGymnasium(FakeEnvironment(), 2)
    finished = SacTraining(environment, TRAINING, request.folder / "training.pt", request.lineage)
    finished.run()  # nothing is left to do
    layers = read_actor(path, OBSERVATION)
    for state in np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32):
        np.testing.assert_allclose(run_actor(layers, state), finished.action(state), atol=1e-5)


@pytest.mark.usefixtures("fake_task")
def test_a_killed_training_goes_on_and_a_longer_one_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    train(request_for(tmp_path), tmp_path)
    longer = TRAINING.model_copy(update={"steps": 150})
    train(request_for(tmp_path, training=longer), tmp_path)
    assert "policy: goes on after 120 actions" in caplog.text
    caplog.clear()
    train(request_for(tmp_path, training=longer.model_copy(update={"learning_rate": 1e-3})), tmp_path)
    train(request_for(tmp_path), tmp_path)  # shorter than the state there is
    assert "goes on" not in caplog.text


def test_the_real_suite_trains_a_policy(tmp_path: Path) -> None:
    for module in ("dm_control", "stable_baselines3"):
        pytest.importorskip(module, reason="needs the extra robots")
    row, path = train(
        request_for(tmp_path, training=TRAINING.model_copy(update={"evaluation_episodes": 1})), tmp_path
    )
    assert row["mean_return"] >= 0
    assert read_actor(path, {"position": 8, "velocity": 9})[-1][0].shape[0] == 6
