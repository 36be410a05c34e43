import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import default_collate

from tests.helpers.videos import write_video
from tests.models.vqvae.tiny import make_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.clips.table import snapshot
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.vqvae.checkpoint_io import original_checkpoint, without_discriminator
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeObjectiveConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.task import VqvaeTask
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.errors import TrainingInterrupted
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import FollowsUpdates, StepInfo, load_task

CLIPS, FRAMES = 6, 10
AVERAGED = {"update": "ema", "decay": 0.5, "restart_below": 0.1}
STEP = StepInfo(0, 0.0, torch.Tensor.detach)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> VqvaeTask:
    """VQ-VAE in miniature, with all that is not published: averaged codes, a discriminator."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number in range(CLIPS):
        write_video(folder / f"{number}.mp4", FRAMES, width=32, height=24, seed=number)
        rows.append({"id": f"clip_{number}", "path": f"{number}.mp4", "frames": FRAMES})
    return VqvaeTask(
        clip_table=snapshot(pd.DataFrame(rows), folder),
        videos=folder,
        data=VqvaeDataConfig(clip_frames=3, frame_step=2, windows_per_clip=2),
        model=make_config(AVERAGED, decoder="residual_causal_3d"),
        objective=VqvaeObjectiveConfig.model_validate(
            {"adversarial": {"weight": 0.1, "start_step": 2, "width": 8, "layers": 1}}
        ),
        seed=5,
    )


def changed(task: VqvaeTask, **fields: Any) -> VqvaeTask:
    return VqvaeTask.model_validate({**task.model_dump(), **fields})


def spec_of(task: VqvaeTask, folder: Path, processes: int = 1, **train: Any) -> TrainSpec:
    settings: dict[str, Any] = {"steps": 6, "batch_size": 4, "seed": 3, "checkpoint_every_steps": 3, **train}
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


def test_round_trip_through_json_and_identity_without_paths(task: VqvaeTask, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate_json(spec_of(task, tmp_path).model_dump_json())
    loaded: object = load_task(spec)
    assert loaded == task and isinstance(loaded, FollowsUpdates)
    assert str(task.videos) not in json.dumps(task.identity())
    assert changed(task, videos="/elsewhere").identity() == task.identity()
    assert changed(task, data={"clip_frames": 2}).identity() != task.identity()


def test_samples_are_windows_of_one_clip(task: VqvaeTask) -> None:
    dataset = task.build_dataset()
    sample, again = dataset[(0, 4)], dataset[(0, 4)]
    assert sample["frames"].shape == (2, 3, 3, 16, 16) and sample["frames"].dtype == torch.uint8
    assert sample["seed"].shape == (2,) and sample["index"] == 4
    assert torch.equal(sample["frames"], again["frames"])
    assert not torch.equal(sample["frames"], dataset[(1, 4)]["frames"])
    assert task.item_names([4]) == ["clip_4"] and task.samples_per_item == 2


def test_sources_exclude_one_another(task: VqvaeTask) -> None:
    with pytest.raises(ValidationError, match="either clip_table and videos, or frame_store"):
        changed(task, frame_store="/somewhere")
    with pytest.raises(ValidationError, match="either"):
        changed(task, videos=None)


def test_missing_metric_files_say_how_to_get_them(task: VqvaeTask, tmp_path: Path) -> None:
    perceptual = changed(task, objective={"perceptual_weight": 1.0})
    with pytest.raises(ConfigurationError, match=r"perceptual_trunk.*torchvision"):
        perceptual.build_model()
    with pytest.raises(ConfigurationError, match=r"action_features.*i3d_torchscript\.pt"):
        changed(task, objective={"fvd_mean_weight": 1.0}).build_model()
    files = {"perceptual_trunk": tmp_path / "a.pth", "perceptual_heads": tmp_path / "b.pth"}
    with pytest.raises(InputError, match=r"a\.pth"):
        changed(perceptual, files=files).identity()
    assert changed(task, files=files).identity() == task.identity()  # not used, not opened


def test_a_stand_in_for_the_perceptual_network_is_asked_for_by_name(task: VqvaeTask) -> None:
    stand_in = changed(task, objective={"perceptual_weight": 1.0, "perceptual_network": "random"})
    batch = default_collate([stand_in.build_dataset()[(0, index)] for index in range(2)])
    assert stand_in.loss(stand_in.build_model(), batch, STEP)[1]["loss_perceptual"] > 0


def test_every_parameter_is_optimized_once_and_the_judge_at_its_own_rate(task: VqvaeTask) -> None:
    objective = {"adversarial": {"weight": 0.1, "learning_rate_scale": 0.5, "width": 8}}
    fast = changed(task, objective=objective)
    model = fast.build_model()
    groups = fast.parameter_groups(model, 0.1)
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(found) == sorted(map(id, model.parameters()))
    assert model.discriminator is not None
    scales = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    assert {scales[id(p)] for p in model.discriminator.parameters()} == {0.5}
    assert {scales[id(p)] for p in model.encoder.parameters()} == {1.0}


def test_weights_come_from_a_checkpoint_in_the_original_layout(task: VqvaeTask, tmp_path: Path) -> None:
    plain = changed(task, model=make_config(), objective={})
    torch.manual_seed(0)
    model, path = plain.build_model(), tmp_path / "1.ckpt"
    torch.save(original_checkpoint(model.state_dict(), step=1), path)
    loaded = changed(plain, initialize_from=path).build_model().state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


@pytest.fixture(scope="module")
def alone(task: VqvaeTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    assert launch(spec_of(task, folder)).status == "trained"
    return folder


def weights(folder: Path, step: int = 6) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_file(
        folder / "run" / "checkpoints" / f"step-{step:08d}" / "model.safetensors"
    )
    return loaded


def test_training_logs_draws_and_fills_the_codebook(task: VqvaeTask, alone: Path) -> None:
    rows = read_rows(alone / "run" / "train_log.jsonl")
    assert [row["train/loss_discriminator"] > 0 for row in rows] == [False] * 2 + [True] * 4
    assert all(np.isfinite(row["train/loss"]) and row["train/perplexity"] >= 1 for row in rows)
    assert rows[-1]["train/perplexity"] > rows[0]["train/perplexity"]
    for name in ("reconstructions", "codes"):
        with Image.open(alone / "reports" / name / "step-00000006.png") as picture:
            assert min(picture.size) > 100
    model = trained_model(VqvaeModel(task.model), without_discriminator(weights(alone)))
    assert task.count_codes(model).sum() == CLIPS * 2 * 3 * 64


class MortalTask(VqvaeTask):
    """Is asked to stop after update 3, and does so after update 4."""

    def after_update(self, model: nn.Module, step: StepInfo) -> None:
        super().after_update(model, step)
        if step.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_resumed_run_equals_an_uninterrupted_one(task: VqvaeTask, alone: Path, tmp_path: Path) -> None:
    spec = spec_of(MortalTask.model_validate(task.model_dump()), tmp_path)
    with pytest.raises(TrainingInterrupted):
        launch(spec)
    assert launch(spec).resumed_from == 4
    expected, found = weights(alone), weights(tmp_path)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_equal_one(task: VqvaeTask, tmp_path: Path) -> None:
    # The adaptive weight is a ratio of gradients of parts of the batch, which differs from that of the whole.
    even = changed(
        task, objective={"adversarial": {"weight": 0.01, "adaptive": False, "width": 8, "layers": 1}}
    )
    folders = [tmp_path / "one", tmp_path / "two"]
    for processes, folder in enumerate(folders, start=1):
        launch(spec_of(even, folder, processes, steps=3))
    one, two = (weights(folder, 3) for folder in folders)
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, atol=1e-5, rtol=1e-4, msg=lambda text, n=name: f"{n} {text}"
        )


def test_bfloat16_trains(task: VqvaeTask, tmp_path: Path) -> None:
    launch(spec_of(task, tmp_path, steps=3, precision="bf16"))
    rows = read_rows(tmp_path / "run" / "train_log.jsonl")
    assert all(np.isfinite(row["train/loss"]) for row in rows)


def test_single_frames_are_drawn_as_strips(task: VqvaeTask, tmp_path: Path) -> None:
    frames = changed(task, data={"windows_per_clip": 2}, model=make_config(), objective={})
    torch.manual_seed(0)
    model: VqvaeModel = frames.build_model()
    files = frames.on_checkpoint(model, tmp_path, 1)
    assert [file.parent.name for file in files] == ["reconstructions", "codes"]
