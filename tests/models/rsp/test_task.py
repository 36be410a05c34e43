import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import default_collate

from tests.helpers.videos import write_video
from tests.models.rsp.tiny import CONFIG, OBJECTIVE
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.clips.table import snapshot
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.data.video.items import INDEX_SUFFIX
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video
from vidrep_pipelines.models.rsp.checkpoint_io import to_original
from vidrep_pipelines.models.rsp.config import RspDataConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import draw_randomness, no_reduction, rsp_objective
from vidrep_pipelines.models.rsp.task import RspTask
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import StepInfo, load_task

CLIPS, FRAMES = 6, 16
FIRST_STEP, LATER_STEP = (StepInfo(step, 0.0, no_reduction) for step in (0, 1))


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> RspTask:
    """RSP in miniature on clips that went through resizing."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number in range(CLIPS):
        source = write_video(folder / "raw" / f"{number}.mp4", FRAMES, width=64, height=48, seed=number)
        clip = folder / "videos" / "pour" / f"clip_{number}.mp4"
        clip.parent.mkdir(parents=True, exist_ok=True)
        facts = resize_video(source, clip, ResizeConfig(short_side=32), clip.with_suffix(INDEX_SUFFIX))
        rows.append({"id": clip.stem, "path": f"pour/{clip.name}", "frames": facts["frames"]})
    return RspTask(
        clip_table=snapshot(pd.DataFrame(rows), folder),
        videos=folder / "videos",
        data=RspDataConfig(sampling=PairSampling(max_distance=8, min_distance=2)),
        model=CONFIG,
        objective=OBJECTIVE,
        seed=5,
    )


def changed(task: RspTask, **fields: Any) -> RspTask:
    """The task with other fields, checked anew."""
    return RspTask.model_validate({**task.model_dump(), **fields})


def batch_of(task: RspTask, indices: Sequence[int] = range(4)) -> dict[str, Any]:
    dataset = task.build_dataset()
    batch: dict[str, Any] = default_collate([dataset[0, index] for index in indices])
    return batch


def part(batch: dict[str, Any], rows: slice | list[int]) -> dict[str, Any]:
    return {name: value[rows] for name, value in batch.items()}


@pytest.fixture
def model(task: RspTask) -> nn.Module:
    torch.manual_seed(0)
    return task.build_model()


def spec_of(task: RspTask, folder: Path, processes: int = 1) -> TrainSpec:
    train = TrainConfig(
        steps=6,
        batch_size=4,
        seed=3,
        checkpoint_every_steps=2,
        # The default eps turns the rounding noise of gradients that are zero (key biases) into whole steps.
        optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=1, eps=1e-5),
    )
    return TrainSpec.of(
        task,
        train=train,
        launch=LaunchConfig(processes=processes, device="cpu", loader_workers=0, threads_per_process=1),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def test_round_trip_through_the_json_of_a_spec(task: RspTask, tmp_path: Path) -> None:
    spec = spec_of(task, tmp_path)
    text = spec.model_dump_json()
    again = TrainSpec.model_validate_json(text)
    assert again == spec
    loaded: object = load_task(again)
    assert loaded == task
    assert TrainSpec.model_validate(json.loads(text)).task_config == spec.task_config


def test_unknown_fields_of_a_spec_are_refused(task: RspTask, tmp_path: Path) -> None:
    spec = spec_of(task, tmp_path)
    other = spec.model_copy(update={"task_config": spec.task_config | {"lerning_rate": 1}})
    with pytest.raises(ConfigurationError, match="lerning_rate"):
        load_task(other)


def test_identity_is_json_without_paths(task: RspTask) -> None:
    text = json.dumps(task.identity())
    assert str(task.videos.parent) not in text
    assert changed(task, clip_table="/elsewhere/c.parquet", videos="/elsewhere").identity() == task.identity()


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 6},
        {"data": {"flip_probability": 0.0}},
        {"model": CONFIG.model_dump() | {"depth": 1}},
        {"objective": {"kl_scale": 0.5}},
    ],
)
def test_identity_covers_the_science(task: RspTask, fields: dict[str, Any]) -> None:
    assert changed(task, **fields).identity() != task.identity()


def test_samples_are_pairs_of_one_clip(task: RspTask) -> None:
    dataset = task.build_dataset()
    assert len(dataset) == CLIPS
    assert task.samples_per_item == 2
    sample = dataset[0, 4]
    assert sample["frames"].shape == (2, 2, 3, 32, 32) and sample["frames"].dtype == torch.uint8
    assert (sample["index"], sample["replaced"], sample["seed"].shape) == (4, 0, (2,))
    assert task.item_names([4, 0]) == ["clip_4", "clip_0"]


def test_samples_depend_on_seed_epoch_and_clip_only(task: RspTask) -> None:
    first, again = (task.build_dataset()[0, 2] for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    others = [task.build_dataset()[1, 2], changed(task, seed=6).build_dataset()[0, 2]]
    assert not any(torch.equal(first["frames"], other["frames"]) for other in others)
    assert not any(torch.equal(first["seed"], other["seed"]) for other in others)


def test_loss_does_not_depend_on_the_global_generator(task: RspTask, model: nn.Module) -> None:
    batch = batch_of(task)
    values = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        values.append(task.loss(model, batch, LATER_STEP)[0])
    assert torch.equal(*values)
    other = batch | {"seed": batch["seed"] + 1}
    assert not torch.equal(task.loss(model, other, LATER_STEP)[0], values[0])


def gradients(task: RspTask, model: nn.Module, batches: list[dict[str, Any]]) -> tuple[Tensor, list[Tensor]]:
    """Mean loss over the batches and its gradient."""
    model.zero_grad()
    loss = torch.stack([task.loss(model, batch, LATER_STEP)[0] for batch in batches]).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize(
    "pieces", [[[0, 1], [2, 3]], [[3, 1], [0, 2]], [[0], [1], [2], [3]]], ids=["halves", "mixed", "single"]
)
def test_loss_and_gradient_do_not_depend_on_how_the_batch_is_split(
    task: RspTask, model: nn.Module, pieces: list[list[int]]
) -> None:
    always_above = changed(task, objective=OBJECTIVE.model_dump() | {"kl_free_bits": 0.0, "kl_scale": 1.0})
    batch = batch_of(always_above)
    whole, gradient = gradients(always_above, model, [batch])
    mean, gradient_of_pieces = gradients(always_above, model, [part(batch, piece) for piece in pieces])
    torch.testing.assert_close(mean, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient_of_pieces, gradient, rtol=1e-4, atol=1e-5)


def test_all_pairs_of_a_clip_count(task: RspTask, model: nn.Module) -> None:
    """The second pair of one clip changes the loss by its share."""
    always_above = changed(task, objective=OBJECTIVE.model_dump() | {"kl_free_bits": 0.0})
    batch = batch_of(always_above, [0])
    losses = [
        always_above.loss(
            model, {"frames": batch["frames"][:, pair], "seed": batch["seed"][:, pair]}, LATER_STEP
        )[0]
        for pair in ([0], [1])
    ]
    both, _ = always_above.loss(model, batch, LATER_STEP)
    assert not torch.equal(*losses)
    torch.testing.assert_close(both, torch.stack(losses).mean(), rtol=1e-5, atol=1e-5)


def test_loss_predicts_the_later_frame_of_each_pair_from_the_earlier_one(
    task: RspTask, model: nn.Module
) -> None:
    assert isinstance(model, RspModel)
    batch = batch_of(task)
    frames = batch["frames"].flatten(0, 1)
    randomness = draw_randomness(batch["seed"].flatten(), CONFIG, "cpu")
    expected = rsp_objective(model, normalize(frames[:, 0]), normalize(frames[:, 1]), randomness, OBJECTIVE)
    assert torch.equal(task.loss(model, batch, FIRST_STEP)[0], expected.loss)


def test_metrics_are_detached_scalars_and_the_prior_is_decoded_now_and_then(
    task: RspTask, model: nn.Module
) -> None:
    batch = batch_of(task)
    loss, metrics = task.loss(model, batch, FIRST_STEP)
    assert loss.requires_grad
    assert {"loss_posterior", "loss_masked", "loss_prior", "kl"} <= metrics.keys()
    assert all(value.ndim == 0 and not value.requires_grad for value in metrics.values())
    assert "loss_prior" not in task.loss(model, batch, LATER_STEP)[1]


def test_every_parameter_is_optimized_once_and_matrices_are_decayed(task: RspTask, model: nn.Module) -> None:
    groups = task.parameter_groups(model, 0.05)
    found = [id(parameter) for group in groups for parameter in group["params"]]
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert sorted(found) == sorted(trained)
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    parameters = dict(model.named_parameters())
    assert decay[id(parameters["encoder.blocks.0.attn.qkv.weight"])] == 0.05
    assert decay[id(parameters["encoder.blocks.0.attn.qkv.bias"])] == 0.0


def test_shard_units_are_the_transformer_blocks(task: RspTask, model: nn.Module) -> None:
    units = {id(unit) for unit in task.shard_units(model)}
    names = {name for name, module in model.named_modules() if id(module) in units}
    encoder = {f"encoder.blocks.{number}" for number in range(CONFIG.depth)}
    assert names == encoder | {f"decoder.blocks.{number}" for number in range(CONFIG.decoder_depth)}


def test_checkpoint_pictures_show_the_same_pairs_every_time(
    task: RspTask, model: nn.Module, tmp_path: Path
) -> None:
    files = [task.on_checkpoint(model, tmp_path, step)[0] for step in (7, 20)]
    assert files == [tmp_path / "predictions" / f"step-{step:08d}.png" for step in (7, 20)]
    assert files[0].read_bytes() == files[1].read_bytes()
    with Image.open(files[0]) as picture:
        assert min(picture.size) > 100


def test_weights_come_from_a_checkpoint_in_the_original_layout(
    task: RspTask, model: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "original.pth"
    torch.save({"model": to_original(model.state_dict())}, path)
    torch.manual_seed(1)
    assert not torch.equal(task.build_model().encoder.cls_token, model.state_dict()["encoder.cls_token"])
    loaded = changed(task, initialize_from=path).build_model().state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(loaded[name], value), name
    with pytest.raises(InputError, match=r"nowhere\.pth"):
        changed(task, initialize_from=tmp_path / "nowhere.pth").build_model()


class MortalRspTask(RspTask):
    """RSP of which process 1 kills itself before update 4, once."""

    kill_marker: Path

    def loss(
        self, model: nn.Module, batch: dict[str, Tensor], step: StepInfo
    ) -> tuple[Tensor, dict[str, Tensor]]:
        if os.environ.get("RANK") == "1" and step.step == 3 and not self.kill_marker.exists():
            self.kill_marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(model, batch, step)


def logged(folder: Path) -> list[dict[str, float]]:
    """What an update computed: neither times nor counts."""
    rows = read_rows(folder / "run" / "train_log.jsonl")
    return [
        {name: value for name, value in row.items() if name.startswith(("train/", "optimizer/", "step"))}
        for row in rows
    ]


@pytest.fixture(scope="module")
def alone(task: RspTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run by one process, in this one."""
    folder = tmp_path_factory.mktemp("alone")
    assert launch(spec_of(task, folder)).status == "trained"
    return folder


def test_training_alone_logs_all_updates_and_makes_pictures(alone: Path) -> None:
    rows = logged(alone)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(row["train/loss"]) for row in rows)
    assert len(list((alone / "reports" / "predictions").iterdir())) == 3


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_of_which_one_is_killed_equal_one(
    task: RspTask, alone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mortal = MortalRspTask(**task.model_dump(), kill_marker=tmp_path / "killed")
    result = launch(spec_of(mortal, tmp_path, processes=2))
    assert (result.status, result.step) == ("trained", 6)
    assert "was killed by SIGKILL. Starting again from update 2." in caplog.text
    for ours, theirs in zip(logged(tmp_path), logged(alone), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5, rel=1e-5)
    weights = load_file(result.checkpoint / "model.safetensors")
    expected = load_file(alone / "run" / "checkpoints" / "step-00000006" / "model.safetensors")
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, atol=1e-5, rtol=0)
