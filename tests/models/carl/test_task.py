import json
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
from tests.models.carl.tiny import CONVOLUTIONAL, make_config, make_model
from tests.models.carl.videos import label_index
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.clips.table import snapshot
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.carl.checkpoint_io import original_checkpoint, original_settings
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlObjectiveConfig
from vidrep_pipelines.models.carl.dataset import write_frame_labels
from vidrep_pipelines.models.carl.pictures import ViewPair, view_similarity
from vidrep_pipelines.models.carl.task import CarlTask
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import StepInfo, load_task

VIDEOS, FRAMES = 4, 20
STEP = StepInfo(0, 0.0, torch.Tensor.detach)
SAMPLING = {"frames": 6, "region": 1.2}
LOCAL = {**SAMPLING, "strategy": "offset_uniform", "context_frames": 2, "context_stride": 3}
KINDS: dict[str, dict[str, Any]] = {
    "scl": {},
    "scl_conv": {
        "model": {**CONVOLUTIONAL, "projection_width": 4},
        "data": {"sampling": LOCAL},
    },
    "tcc": {
        "objective": {"name": "tcc"},
        "model": {**CONVOLUTIONAL, "normalize": False},
        "data": {"sampling": {**LOCAL, "views": 1}, "videos_per_sample": 2},
    },
    "tcc_transformer": {
        "objective": {"name": "tcc"},
        "model": {"projection_width": None, "normalize": False},
        "data": {"sampling": {**SAMPLING, "views": 1}, "videos_per_sample": 3},
    },
    "tcn": {
        "objective": {"name": "tcn"},
        "model": CONVOLUTIONAL,
        "data": {"sampling": {**LOCAL, "views": 1, "positive_window": 5}},
    },
    "classification": {
        "objective": {"name": "classification"},
        "model": {"projection_width": None, "classes": 4, "normalize": False},
        "data": {"sampling": {**SAMPLING, "views": 1}},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    names = [f"clip_{number}" for number in range(VIDEOS)]
    for number, name in enumerate(names):
        write_video(folder / f"{name}.mp4", FRAMES, width=72, height=72, seed=number)
    snapshot(pd.DataFrame({"id": names, "path": [f"{name}.mp4" for name in names], "frames": FRAMES}), folder)
    phases = (np.arange(FRAMES) // 5).tolist()
    write_frame_labels(label_index(*((name, "pour", phases) for name in names)), folder)
    return folder


def make_task(folder: Path, kind: str = "scl", **fields: Any) -> CarlTask:
    changes = {"objective": {}, "model": {}, "data": {"sampling": SAMPLING}, **KINDS[kind], **fields}
    return CarlTask(
        clip_table=folder / "clips.arrow",
        videos=folder,
        labels=folder / "labels.arrow",
        data=CarlDataConfig.model_validate(changes["data"]),
        model=make_config(**changes["model"]),
        objective=CarlObjectiveConfig.model_validate(changes["objective"]),
        backbone_origin="random",
        seed=5,
    )


def changed(task: CarlTask, **fields: Any) -> CarlTask:
    return CarlTask.model_validate({**task.model_dump(), **fields})


def batch_of(task: CarlTask, count: int = 3) -> dict[str, Any]:
    dataset = task.build_dataset()
    batch: dict[str, Any] = default_collate([dataset[0, index] for index in range(count)])
    return batch


@pytest.mark.parametrize("kind", KINDS)
def test_every_objective_trains_every_trained_parameter(kind: str, folder: Path) -> None:
    task = make_task(folder, kind)
    torch.manual_seed(0)
    model = task.build_model().train()
    loss, metrics = task.loss(model, batch_of(task), STEP)
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss) and all(not value.requires_grad for value in metrics.values())
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    groups = task.parameter_groups(model, 1e-5)
    found = sum(len(group["params"]) for group in groups)
    assert found == sum(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("kind", ["scl", "tcc_transformer", "classification"])
def test_a_few_updates_lower_the_loss(kind: str, folder: Path) -> None:
    task = make_task(folder, kind)
    torch.manual_seed(0)
    model, batch = task.build_model().train(), batch_of(task)
    optimizer = torch.optim.Adam(task.parameter_groups(model, 0.0), lr=3e-3)
    losses = []
    for _ in range(12):
        loss, _ = task.loss(model, batch, STEP)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_published_epochs_count_videos(folder: Path) -> None:
    assert make_task(folder).samples_per_item == 1
    assert make_task(folder, "tcc").samples_per_item == 2


def test_round_trip_through_the_json_of_a_spec(folder: Path, tmp_path: Path) -> None:
    task = make_task(folder)
    spec = TrainSpec.of(task, train=TrainConfig(steps=1), run_directory=tmp_path, report_directory=tmp_path)
    loaded: object = load_task(TrainSpec.model_validate_json(spec.model_dump_json()))
    assert loaded == task


def test_identity_is_the_science_without_paths(folder: Path, tmp_path: Path) -> None:
    task = make_task(folder)
    text = json.dumps(task.identity())
    assert str(folder) not in text
    assert changed(task, videos=tmp_path, clip_table=tmp_path / "c.arrow").identity() == task.identity()
    other_labels = write_frame_labels(label_index(("clip_0", "pour", [0])), tmp_path)
    for fields in ({"seed": 6}, {"labels": other_labels}, {"objective": {"temperature": 0.5}}):
        assert changed(task, **fields).identity() != task.identity()
    with pytest.raises(InputError, match=r"labels: .*nowhere"):
        changed(task, labels=tmp_path / "nowhere").identity()


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("scl", {"data": {"sampling": {**SAMPLING, "views": 1}}}, "views: 2"),
        ("tcc", {"data": {"sampling": {**LOCAL, "views": 1}}}, "two views or data"),
        ("tcn", {"data": {"sampling": {**LOCAL, "views": 1}}}, "positive_window"),
        ("classification", {"model": {"projection_width": None}}, r"model\.classes and labels"),
        ("scl", {"model": {"projection_width": None, "classes": 3}}, "classification only"),
        ("scl", {"data": {"sampling": {"frames": 8}}}, "frames must be equal"),
    ],
)
def test_samples_that_the_loss_cannot_compare_are_refused(
    kind: str, fields: dict[str, Any], message: str, folder: Path
) -> None:
    with pytest.raises(ValidationError, match=message):
        make_task(folder, kind, **fields)


def test_exactly_one_source_of_frames(folder: Path) -> None:
    for fields in ({"clip_table": None}, {"frame_store": folder}):
        with pytest.raises(ValidationError, match="clip_table and videos, or frame_store"):
            changed(make_task(folder), **fields)


def test_the_backbone_is_never_random_by_accident(folder: Path, tmp_path: Path) -> None:
    task = make_task(folder)
    with pytest.raises(ConfigurationError, match=r"'byol'.*backbone_weights"):
        changed(task, backbone_origin="byol").build_model()
    source = make_model(seed=7)
    torch.save(source.backbone.state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(ConfigurationError, match="'random'"):
        changed(task, backbone_weights=tmp_path / "resnet.pth").build_model()
    given = changed(task, backbone_origin="supervised", backbone_weights=tmp_path / "resnet.pth")
    assert torch.equal(given.build_model().backbone.conv1.weight, source.backbone.conv1.weight)
    assert given.identity()["backbone_weights"] != task.identity()["backbone_weights"]


def test_training_starts_from_a_published_checkpoint(folder: Path, tmp_path: Path) -> None:
    source = make_model(seed=7)
    content = original_checkpoint(source.state_dict(), epoch=3, settings=original_settings(source.config))
    torch.save(content, tmp_path / "checkpoint_epoch_00003.pth")
    task = changed(make_task(folder), initialize_from=tmp_path / "checkpoint_epoch_00003.pth")
    for name, value in task.build_model().state_dict().items():
        assert torch.equal(value, source.state_dict()[name]), name


def test_colors_are_changed_in_the_loss_unless_the_loader_did(folder: Path) -> None:
    task = make_task(folder)
    batch = batch_of(task)
    assert task.augmented(batch).shape == batch["frames"].shape
    assert not torch.allclose(task.augmented(batch), normalize(batch["frames"]), atol=0.1)
    ready = normalize(batch["frames"])
    assert task.augmented({**batch, "frames": ready}) is ready


def test_error_messages_name_videos(folder: Path) -> None:
    assert make_task(folder).item_names([2, 0]) == ["clip_2", "clip_0"]


def test_checkpoint_pictures_show_the_same_views_every_time(folder: Path, tmp_path: Path) -> None:
    for kind in ("scl", "tcc"):
        task = make_task(folder, kind)
        model = task.build_model().eval()
        (first,), (second,) = (task.on_checkpoint(model, tmp_path / kind, step) for step in (7, 20))
        assert first == tmp_path / kind / "view_similarity" / "step-00000007.png"
        assert first.read_bytes() == second.read_bytes()
        with Image.open(first) as picture:
            assert picture.width > 3 * picture.height // 2


def test_similarity_is_that_of_real_frames() -> None:
    model, frames = make_model(), torch.randn(2, 6, 3, 32, 32)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
    pair = ViewPair("clip", frames, torch.arange(12).view(2, 6), mask)
    similarity, first, second = view_similarity(model, pair)
    assert similarity.shape == (6, 4) and (first.tolist(), second.tolist()) == (
        [0, 1, 2, 3, 4, 5],
        [6, 7, 8, 9],
    )
    embeddings = model.embed(frames, mask)
    expected = nn.functional.cosine_similarity(embeddings[0, :, None], embeddings[1, None, :4], dim=-1)
    np.testing.assert_allclose(similarity, expected.detach().numpy(), atol=1e-5)


def spec_of(task: CarlTask, folder: Path, processes: int = 1, steps: int = 4) -> TrainSpec:
    optimizer = OptimizerConfig(
        name="adam", learning_rate=1e-3, warmup_epochs=0, rate_changes="every_epoch", weight_decay=1e-5
    )
    train = TrainConfig(
        steps=steps,
        batch_size=2,
        seed=3,
        checkpoint_every_steps=2,
        clip_gradient_norm=10.0,
        optimizer=optimizer,
    )
    return TrainSpec.of(
        task,
        train=train,
        launch=LaunchConfig(processes=processes, device="cpu", loader_workers=0, threads_per_process=1),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def losses_of(folder: Path) -> list[float]:
    return [row["train/loss"] for row in read_rows(folder / "run" / "train_log.jsonl")]


def test_the_shared_loop_trains_it(folder: Path, tmp_path: Path) -> None:
    assert launch(spec_of(make_task(folder), tmp_path)).status == "trained"
    assert len(losses_of(tmp_path)) == 4 and np.isfinite(losses_of(tmp_path)).all()
    assert len(list((tmp_path / "reports" / "view_similarity").iterdir())) == 2
    torch.manual_seed(seed_for("model", 3))
    untrained = make_task(folder).build_model().state_dict()
    trained = load_file(next((tmp_path / "run" / "checkpoints").glob("*4/model.safetensors")))
    assert trained.keys() == untrained.keys()
    moved = {name for name, value in trained.items() if not torch.equal(value, untrained[name])}
    frozen = ("backbone.conv1", "backbone.bn1", "backbone.layer1")
    assert [name for name in moved if name.startswith(frozen)] == []
    assert any(name.startswith("backbone.layer4") for name in moved)
    assert "head.to_embedding.weight" in moved


@pytest.mark.ddp
@pytest.mark.slow
def test_two_processes_gather_their_negatives(folder: Path, tmp_path: Path) -> None:
    """Per-process batches of one video: without gathering, there is nothing but the own video's frames."""
    finals = {}
    for gather in (False, True):
        objective = {"negatives": "batch_noself", "gather_negatives": gather}
        task = make_task(folder, objective=objective)
        launch(spec_of(task, tmp_path / str(gather), processes=2, steps=1))
        finals[gather] = losses_of(tmp_path / str(gather))[0]
    assert finals[True] > finals[False]
