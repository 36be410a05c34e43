import json
import shutil
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.training.toy_task import ToyTask, losses, run_worker, toy_spec
from vidrep_pipelines.datasets.training_spec import TrainingSpecFile
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.worker import main


def _file(root: Path) -> Path:
    return root / "06_models" / "toy" / "training_spec.json"


def _spec(root: Path, task: ToyTask | None = None) -> TrainSpec:
    spec = toy_spec(_file(root).parent, task)
    return spec.model_copy(update={"report_directory": root / "08_reporting" / "toy"})


def _copy(old: Path, new: Path) -> Path:
    """As a person does: copied, then the original is gone."""
    shutil.copytree(old, new)
    shutil.rmtree(old)
    return new


@pytest.mark.parametrize("older", [False, True], ids=["", "absolute paths of earlier versions"])
def test_a_copied_data_root_is_gone_on_from(tmp_path: Path, older: bool) -> None:
    old = tmp_path / "old"
    victim = ToyTask(kill_rank=0, kill_step=6, kill_marker=tmp_path / "killed")
    _file(old).parent.mkdir(parents=True)
    assert run_worker(_spec(old, victim), tmp_path).returncode == -9
    spec = _spec(old).model_dump(mode="json")
    TrainingSpecFile(filepath=_file(old)).save(spec)
    if older:
        _file(old).write_text(json.dumps(spec))
    new = _copy(old, tmp_path / "new")
    loaded = TrainSpec.model_validate(TrainingSpecFile(filepath=_file(new)).load())
    assert loaded == _spec(new)
    result = launch(loaded)
    assert (result.status, result.resumed_from) == ("resumed", 4)
    assert len(losses(_file(new).parent)) == 12
    assert main([str(_file(new))]) == 0  # torchrun's way to the same file
    moved = _copy(new, tmp_path / "moved")
    found = run_training(TrainSpec.model_validate(TrainingSpecFile(filepath=_file(moved)).load()))
    assert found.status == "up to date"
    assert all(path.is_relative_to(moved) and path.is_file() for path in found.reports)
    assert not old.exists()
    assert not new.exists()


@pytest.mark.parametrize("content", ["{", "[]", '"x"', ""])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "training_spec.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=r"training_spec\.json is no training specification.*node plan"):
        TrainingSpecFile(filepath=path).load()
