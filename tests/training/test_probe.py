"""A probe measures now and then and changes nothing."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn

from tests.training.toy_task import ToyTask, losses, toy_spec
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.config import ProbeSpec, TrainSpec
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.sinks import read_rows


class ProbedToyTask(ToyTask):
    """The toy with something to measure."""

    def image_encoder(self, model: nn.Module) -> nn.Module:
        return model


class ToyProbe(FrozenConfig):
    """Tells whether it sees an evaluated model, and draws random numbers."""

    factor: float = 1.0

    def measure(self, encoder: Any) -> dict[str, float]:
        torch.rand(5)
        return {
            "training": self.factor * float(encoder.training),
            "weight": float(encoder.first.weight[0, 0]),
        }


def _probed(folder: Path, every: int, **config: Any) -> TrainSpec:
    spec = toy_spec(folder, ProbedToyTask(dropout=0.2))
    probe = ProbeSpec(probe=f"{__name__}:ToyProbe", config=config, every=every)
    return spec.model_copy(update={"probe": probe})


def test_every_second_pass_and_the_end_are_measured(tmp_path: Path) -> None:
    result = run_training(_probed(tmp_path, every=2))  # five updates to a pass, twelve in all
    probed = {row["step"]: row for row in read_rows(result.log) if "probe/weight" in row}
    assert list(probed) == [10, 12]
    assert probed[10]["probe/training"] == 0.0
    assert probed[10]["probe/weight"] != probed[12]["probe/weight"]


def test_steps_that_are_not_logged_are_logged_with_their_probe(tmp_path: Path) -> None:
    spec = _probed(tmp_path, every=1)
    spec = spec.model_copy(update={"train": spec.train.model_copy(update={"log_every_steps": 100})})
    rows = read_rows(run_training(spec).log)
    assert [row["step"] for row in rows] == [5, 10, 12]
    assert all("probe/weight" in row and "train/loss" in row for row in rows)


def test_probing_changes_neither_weights_nor_digest(tmp_path: Path) -> None:
    with_probe = run_training(_probed(tmp_path / "a", every=1))
    without = run_training(_probed(tmp_path / "b", every=1).model_copy(update={"probe": None}))
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    first, second = (load_file(result.checkpoint / "model.safetensors") for result in (with_probe, without))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert with_probe.digest == without.digest


def test_a_task_without_encoder_cannot_be_probed(tmp_path: Path) -> None:
    spec = toy_spec(tmp_path).model_copy(update={"probe": _probed(tmp_path, every=1).probe})
    with pytest.raises(ConfigurationError, match=r"toy has no image encoder.*probe\.every"):
        run_training(spec)


def test_fields_of_the_probe_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"spec\.probe"):
        run_training(_probed(tmp_path, every=1, speed=3))


class WholeModelProbe(FrozenConfig):
    """Measures a task that has no encoder."""

    of_whole_model: ClassVar[bool] = True

    def measure(self, encoder: Any) -> dict[str, float]:
        return {"parameters": float(sum(value.numel() for value in encoder.parameters()))}


def test_a_probe_of_the_whole_model_needs_no_encoder_and_may_count_updates(tmp_path: Path) -> None:
    probe = ProbeSpec(probe=f"{__name__}:WholeModelProbe", config={}, every_steps=7)
    rows = read_rows(run_training(toy_spec(tmp_path).model_copy(update={"probe": probe})).log)
    assert [row["step"] for row in rows if row.get("probe/parameters", 0) > 0] == [7, 12]


def test_the_untrained_model_is_measured_once_as_update_zero(tmp_path: Path) -> None:
    spec = _probed(tmp_path, every=2)
    assert spec.probe is not None
    floored = spec.model_copy(update={"probe": spec.probe.model_copy(update={"untrained": True})})
    result = run_training(floored)
    probed = {row["step"]: row for row in read_rows(result.log) if "probe/weight" in row}
    assert list(probed) == [0, 10, 12]
    assert "train/loss" not in probed[0] and probed[0]["epoch"] == 0.0
    trained = [row["train/loss"] for row in read_rows(result.log) if row["step"]]
    run_training(_probed(tmp_path / "b", every=2).model_copy(update={"probe": None}))
    assert trained == losses(tmp_path / "b")
    assert result.digest == run_training(_probed(tmp_path / "c", every=2)).digest

    # A run that begins again has one row of it, not two.
    again = floored.model_copy(update={"train": floored.train.model_copy(update={"resume": "never"})})
    assert [row["step"] for row in read_rows(run_training(again).log)].count(0) == 1


def test_a_probe_has_one_interval() -> None:
    for interval in ({}, {"every": 1, "every_steps": 1}):
        with pytest.raises(ValidationError, match=r"exactly one of probe\.every and probe\.every_steps"):
            ProbeSpec(probe="a:B", config={}, **interval)
