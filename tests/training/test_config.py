import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.training.toy_task import ToyTask
from vidrep_pipelines.training.config import LaunchConfig, TrackingTarget, TrainConfig, TrainSpec


@pytest.mark.parametrize("length", [{}, {"epochs": 2, "steps": 3}])
def test_exactly_one_length_is_wanted(length: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=r"exactly one of train\.epochs and train\.steps"):
        TrainConfig.model_validate(length)


def test_unknown_and_wrong_parameters_are_named() -> None:
    with pytest.raises(ValidationError, match="batchsize"):
        TrainConfig.model_validate({"steps": 1, "batchsize": 2})
    with pytest.raises(ValidationError, match="batch_size"):
        TrainConfig.model_validate({"steps": 1, "batch_size": "many"})


def test_only_what_changes_the_weights_is_in_the_identity() -> None:
    plain = TrainConfig(steps=5)
    assert (
        TrainConfig(steps=5, log_every_steps=7, keep_checkpoints=9, resume="never").identity()
        == plain.identity()
    )
    assert TrainConfig(steps=5, seed=1).identity() != plain.identity()


def test_spec_survives_json(tmp_path: Path) -> None:
    spec = TrainSpec.of(
        ToyTask(kill_marker=tmp_path / "x"),
        train=TrainConfig(epochs=3, precision="bf16"),
        launch=LaunchConfig(processes=2),
        run_directory=tmp_path / "run",
        report_directory=tmp_path / "reports",
        tracking=TrackingTarget(uri="sqlite:///x.db", run_id="7"),
        data_digest="abc",
    )
    assert TrainSpec.model_validate_json(spec.model_dump_json()) == spec


def test_parameters_are_read_without_torch() -> None:
    program = "import sys, vidrep_pipelines.training.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
