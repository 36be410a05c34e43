"""Trained models at use."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.trained import (
    load_strictly,
    loaded_once,
    read_checkpoint,
    trained_model,
)


class Data(FrozenConfig):
    frames: int


class Sizes(FrozenConfig):
    width: int


def make_model() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def publish(folder: Path) -> Path:
    save_file({"a": torch.ones(2)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"data": {"frames": 4}, "model": {"width": 3}}))
    return folder


def test_a_checkpoint_is_its_configuration_and_its_weights(tmp_path: Path) -> None:
    data, sizes, state = read_checkpoint(
        publish(tmp_path), Data, Sizes, system="a toy", pipeline="pretrain_toy"
    )
    assert data == Data(frames=4) and sizes == Sizes(width=3) and state["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{}"),
        ("config.json", "[]"),
        ("config.json", '{"data": {"frames": 4}, "model": {"height": 3}}'),
        ("model.safetensors", "no weights"),
    ],
)
def test_a_folder_without_a_checkpoint_says_what_makes_one(tmp_path: Path, name: str, content: str) -> None:
    publish(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=r"(?s)holds no checkpoint of a toy .*Remedy: run pretrain_toy"):
        read_checkpoint(tmp_path, Data, Sizes, system="a toy", pipeline="pretrain_toy")


def test_a_trained_model_has_the_weights_and_is_for_use() -> None:
    trained = make_model()
    model = trained_model(make_model(), trained.state_dict())
    assert not model.training
    assert all(torch.equal(model.state_dict()[name], value) for name, value in trained.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": None}, "0.weight is missing"),
        ({"2.weight": torch.ones(1)}, "2.weight is unknown"),
        ({"0.bias": torch.ones(4)}, r"0.bias is \(4,\), expected \(3,\)"),
    ],
)
def test_weights_of_another_architecture_are_refused(
    change: dict[str, torch.Tensor | None], message: str
) -> None:
    changed = make_model().state_dict() | change
    state = {name: value for name, value in changed.items() if value is not None}
    with pytest.raises(InputError, match=f"old.pth belongs to another architecture: {message}. Remedy: set"):
        load_strictly(make_model(), state, "old.pth")


def test_what_may_be_absent_stays_as_the_model_has_it() -> None:
    state = {name: value + 1 for name, value in make_model().state_dict().items() if name.startswith("0.")}
    model = make_model()
    load_strictly(model, state, "old.pth", optional=lambda name: name.startswith("1."))
    assert torch.equal(model.state_dict()["0.bias"], state["0.bias"])
    assert model.state_dict()["1.weight"].tolist() == [1, 1, 1]


def test_a_process_loads_a_version_once_for_each_device() -> None:
    loads: list[tuple[str, str]] = []

    def load(source: str, device: str) -> str:
        loads.append((source, device))
        return f"{source} on {device} ({len(loads)})"

    assert loaded_once(load, "weights", "v1", "cpu") == "weights on cpu (1)"
    assert loaded_once(load, "weights", "v1", "cpu") == "weights on cpu (1)"
    assert loaded_once(load, "weights", "v2", "cpu") == "weights on cpu (2)"
    assert loaded_once(load, "weights", "v1", "cuda:0") == "weights on cuda:0 (3)"
    assert len(loads) == 3
