import json
import logging
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.toy_task import ToyTask, toy_spec
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.training import checkpoint as module
from vidrep_pipelines.training.checkpoint import (
    CheckpointState,
    list_checkpoints,
    load_latest,
    read_state,
    save_checkpoint,
)
from vidrep_pipelines.training.errors import CheckpointWriteError
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.parts import TrainingParts, build_parts

_CPU = torch.device("cpu")
_Damage = Callable[[Path], None]


def _parts(folder: Path, width: int = 8) -> TrainingParts:
    task = ToyTask(width=width)
    parts = build_parts(toy_spec(folder, task), task, _CPU)
    for parameter in parts.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    parts.optimizer.step()
    return parts


def _save(folder: Path, step: int, digest: str = "mine") -> Path:
    state = CheckpointState(task="toy", digest=digest, step=step, finished=False)
    return save_checkpoint(folder / "checkpoints", _parts(folder), state, keep=3)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 10):
        _save(tmp_path, step)
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == [
        "step-00000010",
        "step-00000004",
        "step-00000003",
    ]


def test_everything_comes_back(tmp_path: Path) -> None:
    path = _save(tmp_path, 1)
    fresh = build_parts(toy_spec(tmp_path), ToyTask(), _CPU)
    state = load_latest(tmp_path / "checkpoints", fresh, "mine")
    assert state is not None
    assert state.step == 1
    saved, original = load_file(path / "model.safetensors"), _parts(tmp_path)
    assert all(torch.equal(value, saved[name]) for name, value in fresh.model.state_dict().items())
    ours, theirs = fresh.optimizer.state_dict()["state"], original.optimizer.state_dict()["state"]
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key][name], theirs[key][name]) for key in ours for name in theirs[key])


def test_weights_that_are_left_out_keep_what_building_gave_them(tmp_path: Path) -> None:
    parts = replace(_parts(tmp_path), left_out=frozenset({"first.bias"}))
    with torch.no_grad():
        for parameter in parts.model.parameters():
            parameter.add_(1)
    state = CheckpointState(task="toy", digest="mine", step=1, finished=False)
    path = save_checkpoint(tmp_path / "checkpoints", parts, state, keep=3)
    assert "first.bias" not in load_file(path / "model.safetensors")
    fresh = replace(build_parts(toy_spec(tmp_path), ToyTask(), _CPU), left_out=frozenset({"first.bias"}))
    built = fresh.model.state_dict()["first.bias"].clone()
    assert load_latest(tmp_path / "checkpoints", fresh, "mine") is not None
    trained, restored = parts.model.state_dict(), fresh.model.state_dict()
    assert torch.equal(restored["first.bias"], built) and not torch.equal(trained["first.bias"], built)
    assert all(torch.equal(restored[name], trained[name]) for name in restored if name != "first.bias")


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert load_latest(tmp_path / "checkpoints", _parts(tmp_path), "mine") is None


def _truncate(name: str) -> _Damage:
    return lambda path: os.truncate(path / name, (path / name).stat().st_size // 2)


def _truncate_unnoticed(name: str) -> _Damage:
    """Damage that the recorded size does not show."""

    def damage(path: Path) -> None:
        _truncate(name)(path)
        state = json.loads((path / "state.json").read_text())
        state["files"][name] = (path / name).stat().st_size
        (path / "state.json").write_text(json.dumps(state))

    return damage


def _overwrite(name: str) -> _Damage:
    """Damage that leaves the file's size and its structure alone."""

    def damage(path: Path) -> None:
        content = (path / name).read_bytes()
        middle = len(content) // 2
        (path / name).write_bytes(content[:middle] + bytes(16) + content[middle + 16 :])

    return damage


def _without_digests(damage: _Damage) -> _Damage:
    """The same damage to a checkpoint of a version that kept no digests."""

    def damage_older(path: Path) -> None:
        damage(path)
        state = json.loads((path / "state.json").read_text())
        state.pop("digests", None)
        (path / "state.json").write_text(json.dumps(state))

    return damage_older


def _another_step(path: Path) -> None:
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, "step": 3}))


def _foreign(path: Path) -> None:
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, "digest": "another"}))


def _malicious(path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(path.parent / "attacked"),)

    (path / "optimizer.pt").write_bytes(pickle.dumps(Attack()))
    state = json.loads((path / "state.json").read_text())
    state["files"]["optimizer.pt"] = (path / "optimizer.pt").stat().st_size
    (path / "state.json").write_text(json.dumps(state))


_DAMAGES = [
    (_truncate("model.safetensors"), r"model\.safetensors has \d+ bytes"),
    (_truncate_unnoticed("model.safetensors"), r"model\.safetensors is damaged"),
    (_truncate_unnoticed("optimizer.pt"), r"optimizer\.pt is damaged"),
    (_truncate("state.json"), r"state\.json is no checkpoint's state"),
    (lambda path: (path / "optimizer.pt").unlink(), r"optimizer\.pt has 0 bytes"),
    (_foreign, "belongs to another run"),
    (_malicious, r"optimizer\.pt is damaged"),
    (_without_digests(_malicious), r"optimizer\.pt is damaged"),
    (_without_digests(_truncate_unnoticed("model.safetensors")), r"model\.safetensors is damaged"),
    (_without_digests(_truncate_unnoticed("optimizer.pt")), r"optimizer\.pt is damaged"),
    (_overwrite("model.safetensors"), r"model\.safetensors is damaged: its bytes are not those"),
    (_overwrite("optimizer.pt"), r"optimizer\.pt is damaged: its bytes are not those"),
    (_without_digests(_overwrite("optimizer.pt")), r"optimizer\.pt is damaged"),
    (_another_step, r"state\.json is damaged: it says step 3"),
]


@pytest.mark.parametrize(("damage", "message"), _DAMAGES)
def test_damaged_checkpoint(
    tmp_path: Path, damage: _Damage, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "checkpoints"
    damage(_save(tmp_path, 2))
    with pytest.raises(InputError, match=message + r".*train\.resume: never"):
        load_latest(folder, _parts(tmp_path), "mine")
    _save(tmp_path, 1)
    with caplog.at_level(logging.WARNING):
        state = load_latest(folder, _parts(tmp_path), "mine")
    assert state is not None
    assert state.step == 1
    assert "Continuing from step-00000001 instead" in caplog.text
    assert not (folder / "attacked").exists()


def test_all_that_is_damaged_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _overwrite("model.safetensors")(_save(tmp_path, 1))
    _overwrite("optimizer.pt")(_save(tmp_path, 2))
    with pytest.raises(
        InputError, match=r"(?s)00000002/optimizer\.pt is damaged.*00000001/model\.safetensors is"
    ):
        load_latest(folder, _parts(tmp_path), "mine")


def test_checkpoint_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    _without_digests(lambda path: None)(_save(tmp_path, 1))
    state = load_latest(tmp_path / "checkpoints", _parts(tmp_path), "mine")
    assert state is not None
    assert (state.step, state.digests) == (1, {})


def test_a_damaged_later_checkpoint_does_not_push_out_a_good_one(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    _overwrite("optimizer.pt")(_save(tmp_path, 12))
    state = CheckpointState(task="toy", digest="mine", step=4, finished=False)
    save_checkpoint(folder, _parts(tmp_path), state, keep=1)
    found = load_latest(folder, _parts(tmp_path), "mine")
    assert found is not None
    assert found.step == 4


def test_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    _save(tmp_path, 1)
    with pytest.raises(InputError, match=r"step-00000001 is of another model: first\.bias and 2 more"):
        load_latest(tmp_path / "checkpoints", _parts(tmp_path, width=5), "mine")


@pytest.mark.parametrize(("name", "target"), [("save_file", module), ("save", torch), ("fsync", os)])
def test_full_disk_leaves_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, target: object
) -> None:
    first = _save(tmp_path, 1)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(CheckpointWriteError, match=r"No space left.*keep_checkpoints"),
    ):
        patch.setattr(target, name, full)
        _save(tmp_path, 2)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [first.name]
    assert read_state(first).step == 1


def test_tied_parameters_can_be_saved(tmp_path: Path) -> None:
    weight = torch.ones(2, 2)
    save_file(module._unshared({"a": weight, "b": weight}), tmp_path / "tied.safetensors")
    assert set(load_file(tmp_path / "tied.safetensors")) == {"a", "b"}


def test_a_resumed_run_writes_the_same_bytes(tmp_path: Path) -> None:
    whole = run_training(toy_spec(tmp_path))
    written = {file.name: file.read_bytes() for file in whole.checkpoint.iterdir()}
    shutil.rmtree(whole.checkpoint)
    again = run_training(toy_spec(tmp_path))
    assert again.resumed_from == 8
    assert {file.name: file.read_bytes() for file in again.checkpoint.iterdir()} == written
