import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import default_collate

from tests.models.vpp.policy.trained import FEATURES, demonstrations, make_policy_task
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.policy.checkpoint_io import original_policy_checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.objective import draw_policy_randomness, policy_objective
from vidrep_pipelines.models.vpp.policy.task import PolicyTask, features_of_items
from vidrep_pipelines.models.vpp.policy.video_former import FlatFeatures
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import StepInfo, load_task

STEP = StepInfo(0, 0.0, torch.Tensor.detach)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> FeatureSources:
    return demonstrations(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def task(sources: FeatureSources, tmp_path_factory: pytest.TempPathFactory) -> PolicyTask:
    return make_policy_task(sources, tmp_path_factory.mktemp("features"), sees_state=True)


def changed(task: PolicyTask, **fields: Any) -> PolicyTask:
    return PolicyTask.model_validate({**task.model_dump(), **fields})


def batch_of(task: PolicyTask, size: int = 3) -> dict[str, Any]:
    dataset = task.build_dataset()
    batch: dict[str, Any] = default_collate([dataset[0, index] for index in range(size)])
    return batch


def spec_of(task: PolicyTask, folder: Path, **train: Any) -> TrainSpec:
    settings: dict[str, Any] = {"steps": 4, "batch_size": 2, "checkpoint_every_steps": 2, **train}
    optimizer = OptimizerConfig(learning_rate=1e-3, warmup_steps=1)
    return TrainSpec.of(
        task,
        train=TrainConfig(optimizer=optimizer, **settings),
        launch=LaunchConfig(device="cpu", loader_workers=0, threads_per_process=1),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def test_round_trip_through_json_and_identity_without_paths(task: PolicyTask, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate_json(spec_of(task, tmp_path).model_dump_json())
    loaded: object = load_task(spec)
    assert loaded == task
    assert str(task.frames.parent) not in json.dumps(task.identity())
    moved = {**task.seen.model_dump(), "stored": "/nowhere"}
    elsewhere = changed(task, frames="/elsewhere", seen=moved, sampling={"steps": 3})
    assert elsewhere.identity() == task.identity()
    other = {**task.seen.model_dump(), "digest": "another model's"}
    assert changed(task, seen=other).identity() != task.identity()
    assert changed(task, decayed="matrices").identity() != task.identity()


def test_a_published_policy_says_how_it_is_used_but_not_where_things_lay(task: PolicyTask) -> None:
    described = json.dumps(task.checkpoint_config())
    assert str(task.frames.parent) not in described and str(task.seen.stored) not in described
    assert {"model", "goal", "items", "statistics", "seen", "pictures_resized"} <= json.loads(
        described
    ).keys()


def test_the_loss_is_the_objective_of_the_items_own_seeds(task: PolicyTask) -> None:
    model, batch = task.build_model().eval(), batch_of(task)
    features = features_of_items(batch["features"])
    drawn = draw_policy_randomness(batch["seed"], (3, 3), "cpu")
    state = batch["state"][:, None]
    expected = policy_objective(
        model, features, batch["goal"], batch["actions"], drawn, task.objective, state
    )
    loss, metrics = task.loss(model, batch, STEP)
    assert torch.equal(loss, expected.loss) and metrics.keys() == {"error", "log_sigma"}


def test_places_of_all_cameras_stand_in_a_row_first_camera_first() -> None:
    features = torch.arange(2 * 3 * 2 * 4 * 1 * 2).reshape(2, 3, 2, 4, 1, 2)  # B V F C h w
    rows = features_of_items(features)
    assert rows.shape == (2, 2, 6, 4)
    for view in range(3):
        expected = features[1, view, 1, :, 0].T.float()
        assert torch.equal(rows[1, 1, 2 * view : 2 * view + 2], expected)


def test_computed_features_are_those_that_would_be_stored(
    sources: FeatureSources, task: PolicyTask, tmp_path: Path
) -> None:
    config = FeatureStoreConfig.model_validate({**FEATURES.model_dump(), "store": False})
    computed = make_policy_task(sources, tmp_path / "nothing", config, sees_state=True)
    assert computed.seen.digest == task.seen.digest and not (tmp_path / "nothing").exists()
    ours, stored = batch_of(computed), batch_of(task)
    assert "features" not in ours and ours["latents"].shape[:2] == (3, 2)
    torch.testing.assert_close(computed.features_of(ours), task.features_of(stored), atol=1e-4, rtol=1e-4)


def test_features_of_another_model_are_refused(task: PolicyTask) -> None:
    other = {**task.seen.model_dump(), "digest": "another model's"}
    with pytest.raises(InputError, match="model"):
        changed(task, seen=other).build_dataset()[0, 0]


def test_a_split_without_items(task: PolicyTask) -> None:
    assert task.on_split("test") is None
    with pytest.raises(ConfigurationError, match="no item in the split test"):
        task.model_copy(update={"split": "test"}).table()
    held_out = task.on_split("validation")
    assert held_out is not None and len(held_out.table()) == 4
    assert held_out.fixed_items(3) == [(0, 0), (0, 1), (0, 3)]


def test_all_weights_decay_as_published_or_matrices_alone(task: PolicyTask) -> None:
    model = task.build_model()
    [group] = task.parameter_groups(model, 0.05)
    assert group["weight_decay"] == 0.05 and len(group["params"]) == len(list(model.parameters()))
    groups = changed(task, decayed="matrices").parameter_groups(model, 0.05)
    assert [group["weight_decay"] for group in groups] == [0.0, 0.05]


def test_components_are_those_of_the_training_features_and_published(
    task: PolicyTask, tmp_path: Path
) -> None:
    features = task.features_of(batch_of(task, len(task.table())))
    flat = {"kind": "flat", "components": 3, "places": features.shape[2]}
    fields = task.model.model_dump()
    own = changed(task, model={**fields, "former": {**fields["former"], **flat}})
    former = own.build_model().video_former
    assert isinstance(former, FlatFeatures)
    components = (features.flatten(1) - former.center) @ former.basis
    torch.testing.assert_close(components.square().mean(0), torch.ones(3), atol=0.2, rtol=0)
    result = launch(spec_of(own, tmp_path, ema_decay=0.5))
    assert result.checkpoint is not None
    assert torch.equal(load_file(result.checkpoint / "model.safetensors")["video_former.basis"], former.basis)
    assert own.science() != task.science() and "components" not in task.science()["model"]["former"]


def test_training_learns_and_shows_actions(task: PolicyTask, tmp_path: Path) -> None:
    result = launch(spec_of(task, tmp_path, ema_decay=0.5, steps=30, checkpoint_every_steps=30, batch_size=4))
    losses = [row["train/loss"] for row in read_rows(result.log)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert [report.name for report in result.reports] == ["step-00000030.png"]
    assert (result.checkpoint / "ema.safetensors").is_file()


def test_training_starts_from_a_published_checkpoint(task: PolicyTask, tmp_path: Path) -> None:
    torch.manual_seed(3)
    published = task.build_model()
    torch.save(original_policy_checkpoint(task.model, published.state_dict()), tmp_path / "dp.pt")
    started = changed(task, initialize_from=tmp_path / "dp.pt")
    assert started.identity() != task.identity()
    for name, value in started.build_model().state_dict().items():
        assert torch.equal(value, published.state_dict()[name]), name


def test_sampled_actions_are_repeatable(task: PolicyTask) -> None:
    model = task.build_model().eval()
    first, second = (task.sampled_actions(model, task.fixed_items(3)) for _ in range(2))
    assert first.sampled.shape == first.truth.shape == (3, 3, 3) and len(first.texts) == 3
    assert torch.equal(first.sampled, second.sampled)
