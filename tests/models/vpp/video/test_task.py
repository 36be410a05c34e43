import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import default_collate

from tests.models.vpp.video.spoken import make_video_task
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.video.objective import video_objective
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import LooksAhead, StepInfo, load_task

STEP = StepInfo(0, 0.0, torch.Tensor.detach)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> VideoTask:
    return make_video_task(tmp_path_factory.mktemp("video"))


def changed(task: VideoTask, **fields: Any) -> VideoTask:
    return VideoTask.model_validate({**task.model_dump(), **fields})


def batch_of(task: VideoTask, size: int = 3) -> dict[str, Any]:
    dataset = task.build_dataset()
    batch: dict[str, Any] = default_collate([dataset[0, index] for index in range(size)])
    return batch


def spec_of(task: VideoTask, folder: Path, **train: Any) -> TrainSpec:
    settings: dict[str, Any] = {"steps": 2, "batch_size": 2, "checkpoint_every_steps": 1, **train}
    optimizer = OptimizerConfig(learning_rate=1e-3, warmup_steps=1, weight_decay=0.01)
    return TrainSpec.of(
        task,
        train=TrainConfig(optimizer=optimizer, **settings),
        launch=LaunchConfig(device="cpu", loader_workers=0, threads_per_process=1),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def test_round_trip_through_json_and_identity_without_paths(task: VideoTask, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate_json(spec_of(task, tmp_path).model_dump_json())
    loaded: object = load_task(spec)
    assert loaded == task and isinstance(loaded, LooksAhead)
    assert str(task.frames.parent) not in json.dumps(task.identity())
    elsewhere = changed(task, frames="/elsewhere", latents="/nowhere", sampling={"steps": 9})
    assert elsewhere.identity() == task.identity()
    assert changed(task, mixture={"datasets": "xhand"}).identity() != task.identity()


def test_the_loss_is_the_objective_of_the_items_own_seeds(task: VideoTask) -> None:
    model, batch = task.build_model().eval(), batch_of(task)
    latents, randomness, first = task.training_inputs(batch)
    expected = video_objective(model, latents, batch["ids"], batch["mask"], randomness, task.objective, first)
    loss, metrics = task.loss(model, batch, STEP)
    assert torch.equal(loss, expected.loss) and first is None
    assert metrics.keys() == {"error", "log_sigma"} and not metrics["error"].requires_grad


def test_pixels_are_encoded_while_training_with_noise_on_the_first_frame(
    task: VideoTask, tmp_path: Path
) -> None:
    pixels = changed(task, latents=None)
    stored, encoded = batch_of(task), batch_of(pixels)
    latents, drawn, first = pixels.training_inputs(encoded)
    torch.testing.assert_close(latents, stored["latents"], rtol=1e-2, atol=1e-2)  # stored in float16
    assert first is not None and (first.noise > 0).all()
    assert (first.latent - latents[:, 0]).abs().amax(dim=(1, 2, 3)).min() > 1e-3
    plain = changed(pixels, objective={"pixel_augmentation": "none"})
    without = plain.training_inputs(encoded)[2]
    assert without is not None
    torch.testing.assert_close(without.latent, latents[:, 0])
    assert torch.equal(drawn.noise, plain.training_inputs(encoded)[1].noise)


def test_one_group_for_what_is_decayed_and_one_for_what_is_not(task: VideoTask) -> None:
    model = task.build_model()
    groups = task.parameter_groups(model, 0.01)
    assert [group["weight_decay"] for group in groups] == [0.0, 0.01]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert sum(len(group["params"]) for group in groups) == len(trained)
    units = task.shard_units(model)
    assert len(units) > 3 and all(isinstance(unit, nn.Module) for unit in units)


def test_training_shows_its_first_batch_and_its_predictions(
    task: VideoTask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        result = launch(spec_of(task, tmp_path, ema_decay=0.5))
    assert "M parameters" in caplog.text and "a device" in caplog.text
    names = [report.relative_to(tmp_path / "reports").as_posix() for report in result.reports]
    assert names == [
        "first_batch.png",
        "predictions/step-00000001.png",
        "predictions/step-00000002.png",
    ]
    with Image.open(tmp_path / "reports" / "first_batch.png") as image:
        low, high = image.convert("L").getextrema()
    assert high - low > 100
    assert (result.checkpoint / "ema.safetensors").is_file()
    again = launch(spec_of(task, tmp_path / "again", ema_decay=0.5))
    assert [row["train/loss"] for row in read_rows(again.log)] == [
        row["train/loss"] for row in read_rows(result.log)
    ]


def test_predictions_start_with_the_first_frame_and_are_repeatable(task: VideoTask) -> None:
    model = task.build_model().eval()
    first, second = (task.predict(model, task.fixed_items(2)) for _ in range(2))
    assert torch.equal(first.predicted, second.predicted) and first.texts == second.texts
    assert first.predicted.shape == first.truth.shape == (2, 4, 3, 16, 16)
    assert first.predicted.min() >= 0 and first.predicted.max() <= 1


def test_held_out_clips_are_those_of_the_mixture_that_are_there(task: VideoTask) -> None:
    held_out = task.on_split("validation")
    assert held_out is not None
    present = set(held_out.store().table["robot"])
    assert held_out.mixture.shares.keys() == present & {"tabletop", "xhand"}
    assert sum(held_out.mixture.shares.values()) == pytest.approx(1)
    assert task.on_split("test") is None
    items = held_out.fixed_items(7)
    assert len(set(items)) == 7 and max(index for _, index in items) < len(held_out.build_dataset())


def test_latents_of_another_codec_are_refused(task: VideoTask) -> None:
    with pytest.raises(InputError, match="not by another"):
        changed(task, latents_digest="another").build_dataset()


def test_items_are_named_by_episode(task: VideoTask) -> None:
    indices = batch_of(task)["index"].tolist()
    names = task.item_names(indices)
    assert all(name.split()[0] in {"tabletop", "xhand"} and "from frame" in name for name in names)
