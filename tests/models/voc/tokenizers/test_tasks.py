import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.models.voc.tokenizers.tiny import TEACHER, make_store, musik_config, vae_config, vqkd_config
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.dino.task import VqkdTask
from vidrep_pipelines.models.voc.tokenizers.musik.task import MusikTask
from vidrep_pipelines.models.voc.tokenizers.task import TokenizerTask
from vidrep_pipelines.models.voc.tokenizers.vae.checkpoint_io import to_original
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.task import VaeTask
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.errors import TrainingInterrupted
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import FollowsUpdates, StepInfo, load_task

AVERAGED = {"update": "ema", "decay": 0.5, "restart_below": 0.1}
KINDS = ("vae", "averaged", "dino", "musik")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("tiny")).folder


def make_task(kind: str, folder: Path, **changes: Any) -> TokenizerTask[Any]:
    fields: dict[str, Any] = {"frame_store": folder, "seed": 5, **changes}
    if kind == "dino":
        return VqkdTask(model=vqkd_config(), objective=VqkdObjectiveConfig(teacher=TEACHER), **fields)
    if kind == "musik":
        return MusikTask(model=musik_config(), **fields)
    return VaeTask(model=vae_config(**(AVERAGED if kind == "averaged" else {})), **fields)


def spec_of(task: TokenizerTask[Any], folder: Path, processes: int = 1, **train: Any) -> TrainSpec:
    settings: dict[str, Any] = {"steps": 4, "batch_size": 4, "seed": 3, "checkpoint_every_steps": 2, **train}
    return TrainSpec.of(
        task,
        train=TrainConfig(
            optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=1, eps=1e-5, weight_decay=0),
            **settings,
        ),
        launch=LaunchConfig(processes=processes, device="cpu", loader_workers=0, threads_per_process=1),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def weights(folder: Path, step: int = 4) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_file(
        folder / "run" / "checkpoints" / f"step-{step:08d}" / "model.safetensors"
    )
    return loaded


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_through_json_and_identity_without_paths(kind: str, folder: Path, tmp_path: Path) -> None:
    task = make_task(kind, folder)
    spec = TrainSpec.model_validate_json(spec_of(task, tmp_path).model_dump_json())
    loaded: object = load_task(spec)
    assert loaded == task and isinstance(loaded, FollowsUpdates)
    assert str(folder) not in json.dumps(task.identity())
    elsewhere = task.model_copy(update={"frame_store": Path("/elsewhere")})
    assert elsewhere.identity() == task.identity()
    assert task.model_copy(update={"seed": 6}).identity() != task.identity()


@pytest.mark.parametrize("kind", KINDS)
def test_trains_logs_and_draws(kind: str, folder: Path, tmp_path: Path) -> None:
    task = make_task(kind, folder)
    assert launch(spec_of(task, tmp_path)).status == "trained"
    rows = read_rows(tmp_path / "run" / "train_log.jsonl")
    assert len(rows) == 4 and all(np.isfinite(row["train/loss"]) for row in rows)
    assert all(1 <= row["train/perplexity"] <= 16 for row in rows)
    pictures = {"codes"} | ({"reconstructions"} if isinstance(task, VaeTask) else set())
    assert {path.parent.name for path in (tmp_path / "reports").rglob("step-*.png")} == pictures
    if kind == "dino":
        assert weights(tmp_path)["quantizer.initialized"].item() == 1


class Mortal:
    """Asks to be stopped after the second update."""

    def after_update(self, model: nn.Module, step: StepInfo) -> None:
        super().after_update(model, step)  # type: ignore[misc]
        if step.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)


class MortalVae(Mortal, VaeTask):
    pass


class MortalVqkd(Mortal, VqkdTask):
    pass


class MortalMusik(Mortal, MusikTask):
    pass


@pytest.mark.parametrize(
    ("kind", "mortal"), [("averaged", MortalVae), ("dino", MortalVqkd), ("musik", MortalMusik)]
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    kind: str, mortal: type[TokenizerTask[Any]], folder: Path, tmp_path: Path
) -> None:
    task = make_task(kind, folder)
    launch(spec_of(task, tmp_path / "alone"))
    spec = spec_of(mortal.model_validate(task.model_dump()), tmp_path / "again")
    with pytest.raises(TrainingInterrupted):
        launch(spec)
    assert launch(spec).resumed_from in (2, 3)
    expected, found = weights(tmp_path / "alone"), weights(tmp_path / "again")
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize("kind", ["averaged", "dino"])
def test_two_processes_equal_one(kind: str, folder: Path, tmp_path: Path) -> None:
    task = make_task(kind, folder)
    folders = [tmp_path / "one", tmp_path / "two"]
    for processes, place in enumerate(folders, start=1):
        launch(spec_of(task, place, processes, steps=2))
    one, two = (weights(place, 2) for place in folders)
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, atol=1e-4, rtol=1e-3, msg=lambda text, n=name: f"{n} {text}"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_optimized_once_and_units_cover_the_depth(kind: str, folder: Path) -> None:
    task = make_task(kind, folder)
    model: nn.Module = task.build_model()  # type: ignore[attr-defined]
    groups = task.parameter_groups(model, 0.1)
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(found) == sorted(map(id, model.parameters()))
    assert len(task.shard_units(model)) >= 2


def test_starts_from_a_file_in_the_published_layout(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    task = VaeTask(frame_store=folder, model=vae_config())
    model, path = task.build_model(), tmp_path / "cheetah.pt"
    torch.save(to_original(model.state_dict()), path)
    tuned = task.model_copy(update={"initialize_from": path})
    loaded = tuned.build_model().state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    assert tuned.identity() != task.identity()
    with pytest.raises(InputError, match=r"initialize_from: .*absent\.pt cannot be read"):
        task.model_copy(update={"initialize_from": tmp_path / "absent.pt"}).identity()


def test_without_lpips_files_the_loss_is_l1_and_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        VaeTask(frame_store=folder, model=vae_config()).build_model()
    assert "no files for LPIPS" in caplog.text
    caplog.clear()
    quiet = VaeObjectiveConfig(perceptual_weight=0)
    with caplog.at_level("INFO"):
        VaeTask(frame_store=folder, model=vae_config(), objective=quiet).build_model()
    assert caplog.text == ""
