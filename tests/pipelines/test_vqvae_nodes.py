import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.models.vqvae.tiny import make_config, make_model
from tests.pipelines.planned import assert_published_as_planned
from vidrep_pipelines.adapters.reconstruction import run_label
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset
from vidrep_pipelines.models.vqvae.checkpoint_io import original_checkpoint, unpublished_settings
from vidrep_pipelines.models.vqvae.config import (
    LossFiles,
    OriginalVqvaeConfig,
    VqvaeDataConfig,
    VqvaeObjectiveConfig,
    VqvaeValidationConfig,
)
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
from vidrep_pipelines.models.vqvae.task import VqvaeTask
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.downstream_eval.reconstruction_nodes import open_original_vqvae
from vidrep_pipelines.pipelines.pretrain.vqvae_nodes import VqvaeRunConfig, plan_vqvae
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.task import load_task

MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)


def plan(
    folder: Path, digest: str = "frames", splits: tuple[str, ...] = ("train", "validation"), **changes: Any
) -> TrainSpec:
    facts = SimpleNamespace(mean=MEAN, std=STD)
    store: Any = SimpleNamespace(
        folder=folder / "store", facts=facts, content_digest=digest, table=pd.DataFrame({"split": splits})
    )
    arguments: dict[str, Any] = {
        "run": VqvaeRunConfig(),
        "data": VqvaeDataConfig(),
        "model": make_config(),
        "objective": VqvaeObjectiveConfig(perceptual_network="random"),
        "files": LossFiles(),
        "validation": VqvaeValidationConfig(),
        "train": TrainConfig(steps=3, batch_size=24, seed=5),
        "launch": LaunchConfig(device="cpu"),
        "folders": FoldersConfig(models=folder / "models", reporting=folder / "reporting"),
    }
    spec = plan_vqvae(store, **{**arguments, **changes})
    return TrainSpec.model_validate(json.loads(json.dumps(spec)))


def digest_of_run(spec: TrainSpec) -> str:
    return RunRecord.of(spec, load_task(spec)).digest


def test_spec_describes_the_task(tmp_path: Path) -> None:
    spec = plan(tmp_path, run=VqvaeRunConfig(folder="other"))
    task: Any = load_task(spec)
    assert isinstance(task, VqvaeTask)
    assert (task.frame_store, task.seed, task.model) == (tmp_path / "store", 5, make_config())
    assert spec.run_directory == tmp_path / "models/other/run"
    assert spec.report_directory == tmp_path / "reporting/other"
    assert run_label(spec.task_config) == "2d, pixel, 16 euclidean gradient codes"


def test_preset_sets_decoder_losses_and_batches(tmp_path: Path) -> None:
    spec = plan(tmp_path, run=VqvaeRunConfig(preset="3d_decoder__2d_loss"))
    assert spec.train.batch_size == 2  # 24 frames in clips of 12
    assert spec.launch.device_batch_size is None
    assert run_label(spec.task_config) == "3d, pixel + perceptual stand-in, 16 euclidean gradient codes"
    assert_published_as_planned(spec, "data", "model")


def test_a_device_holds_frames(tmp_path: Path) -> None:
    held = VqvaeRunConfig(frames_per_device=30)
    clips = held.model_copy(update={"preset": "3d_decoder__2d_loss"})
    assert plan(tmp_path, run=held).launch.device_batch_size == 30
    assert plan(tmp_path, run=clips).launch.device_batch_size == 2


def test_statistics_of_the_store_replace_the_published_ones(tmp_path: Path) -> None:
    spec = plan(tmp_path, run=VqvaeRunConfig(statistics=True))
    assert_published_as_planned(spec, "data", "model")
    data = spec.task_config["data"]
    assert (tuple(data["mean"]), tuple(data["std"])) == (MEAN, STD)
    assert tuple(plan(tmp_path).task_config["data"]["mean"]) == VqvaeDataConfig().mean


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "other frames"},
        {"run": VqvaeRunConfig(statistics=True)},
        {"model": make_config({"update": "ema"})},
        {"data": VqvaeDataConfig(first_frames=12)},
    ],
)
def test_data_and_science_make_another_run(changes: dict[str, Any], tmp_path: Path) -> None:
    assert digest_of_run(plan(tmp_path, **changes)) != digest_of_run(plan(tmp_path))


def test_machine_and_place_make_no_other_run(tmp_path: Path) -> None:
    other = plan(tmp_path / "elsewhere", launch=LaunchConfig(processes=3), run=VqvaeRunConfig(folder="x"))
    assert digest_of_run(other) == digest_of_run(plan(tmp_path))


def test_the_held_out_split_is_measured_and_drawn_where_there_is_one(tmp_path: Path) -> None:
    spec = plan(tmp_path, validation=VqvaeValidationConfig(every_steps=7, keep={"psnr": "highest"}))
    assert spec.probe is not None and spec.probe.every_steps == 7 and spec.probe.keep == {"psnr": "highest"}
    assert (spec.probe.config["task"]["split"], spec.task_config["split"]) == ("validation", "train")
    never = plan(tmp_path, validation=VqvaeValidationConfig(every_steps=None))
    assert never.probe is None and never.task_config["shown_split"] == "validation"
    nothing = plan(tmp_path, splits=("train",))
    assert nothing.probe is None and nothing.task_config["shown_split"] is None
    assert len({digest_of_run(each) for each in (spec, never, nothing)}) == 1


@pytest.mark.parametrize("decoder", ["2d", "3d"])
def test_an_original_checkpoint_becomes_one_of_the_catalog(decoder: str, tmp_path: Path) -> None:
    model, data = make_model(make_config(decoder=decoder)).eval(), VqvaeDataConfig(mean=MEAN, std=STD)
    noted = unpublished_settings(model.config, data)
    content = original_checkpoint(model.state_dict(), step=7, unpublished=noted)
    torch.save(content, tmp_path / "7.ckpt")
    folders = FoldersConfig(models=tmp_path / "models", reporting=tmp_path / "reporting")
    original = OriginalVqvaeConfig(path=tmp_path / "7.ckpt", image_size=16)
    dataset = CheckpointDataset(filepath=tmp_path / "checkpoint")
    dataset.save(open_original_vqvae(original, folders))
    checkpoint = dataset.load()
    assert checkpoint.meta["file"] == "7.ckpt"
    trained, expected = TrainedVqvae.load(checkpoint.directory), TrainedVqvae(model, data)
    frames = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 16, 3), dtype=np.uint8)
    assert trained.data.mean == MEAN and trained.model.config.groups == 4
    for found, wanted in zip(trained.reconstruct(frames), expected.reconstruct(frames), strict=True):
        torch.testing.assert_close(found, wanted)
