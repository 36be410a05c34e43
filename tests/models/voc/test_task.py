import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import default_collate

from tests.models.voc.test_gpt import make_gpt
from tests.models.voc.tiny import ACTIONS, make_config, make_episodes
from vidrep_pipelines.data.token_episodes.file import write_token_episodes
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.voc.checkpoint_io import to_original
from vidrep_pipelines.models.voc.config import TargetConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.errors import TrainingInterrupted
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import FollowsUpdates, StepInfo, load_task

STEP = StepInfo(0, 0.0, torch.Tensor.detach)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> VocTask:
    folder = tmp_path_factory.mktemp("tokens")
    paths = folder / "one.h5", folder / "two.h5"
    episodes = make_episodes((9, 7, 8, 5))
    for path, numbers in zip(paths, ([0, 1], [2, 3]), strict=True):
        write_token_episodes(path, episodes.select(numbers))
    return VocTask(
        tokens=paths,
        model=make_config(actions=True, dropout=0.1),
        objective=VocObjectiveConfig(target=TargetConfig(kind="n_step", steps=2)),
        seed=5,
    )


def changed(task: VocTask, **fields: Any) -> VocTask:
    return VocTask.model_validate({**task.model_dump(), **fields})


def spec_of(task: VocTask, folder: Path, processes: int = 1, **train: Any) -> TrainSpec:
    settings: dict[str, Any] = {"steps": 6, "batch_size": 4, "seed": 3, "checkpoint_every_steps": 3, **train}
    return TrainSpec.of(
        task,
        train=TrainConfig(
            optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=1, eps=1e-5, weight_decay=0.1),
            **settings,
        ),
        launch=LaunchConfig(processes=processes, device="cpu", loader_workers=0, threads_per_process=1),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def weights(folder: Path, step: int = 6) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(
        folder / "run" / "checkpoints" / f"step-{step:08d}" / "model.safetensors"
    )
    return found


@pytest.fixture(scope="module")
def alone(task: VocTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    launch(spec_of(task, folder))
    return folder


def test_round_trip_through_json_and_identity_without_paths(task: VocTask, tmp_path: Path) -> None:
    loaded: object = load_task(TrainSpec.model_validate_json(spec_of(task, tmp_path).model_dump_json()))
    assert loaded == task and isinstance(loaded, FollowsUpdates)
    assert str(task.tokens[0].parent) not in json.dumps(task.identity())
    assert changed(task, tokens=("elsewhere.h5",)).identity() == task.identity()
    assert changed(task, objective={"ema_decay": 0.5}).identity() != task.identity()


def test_every_trained_parameter_is_optimized_once(task: VocTask) -> None:
    model = task.build_model()
    groups = task.parameter_groups(model, 0.1)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trained)
    assert [group["weight_decay"] for group in groups] == [0.0, 0.1, 0.01]
    assert any(parameter is model.gpt.position_embedding.weight for parameter in groups[1]["params"])


def test_samples_become_a_loss(task: VocTask) -> None:
    dataset = task.build_dataset()
    assert len(dataset) == 9 + 7 + 8 - 3 and task.item_names([8]) == ["run_1, step 0"]
    batch = default_collate([dataset[0, index] for index in range(4)])
    assert batch["context"].dtype == torch.int64 and batch["action"].shape == (4, ACTIONS)
    loss, metrics = task.loss(task.build_model(), batch, STEP)
    assert torch.isfinite(loss) and metrics["loss_reward"] > 0


def test_starts_from_published_weights(task: VocTask, tmp_path: Path) -> None:
    path = tmp_path / "gpt.safetensors"
    gpt = make_gpt()
    save_file(to_original(gpt.state_dict()), path)
    started = changed(task, initialize_from=path, model=make_config())
    assert torch.equal(started.build_model().target.norm.weight, gpt.norm.weight)
    assert started.identity()["initialize_from"] != str(path)


def test_training_keeps_the_target_network_and_draws_values(task: VocTask, alone: Path) -> None:
    rows = read_rows(alone / "run" / "train_log.jsonl")
    assert all(np.isfinite(row["train/loss"]) for row in rows)
    state = weights(alone)
    moved = [name for name in state if name.startswith("target.")]
    assert moved and all(f"gpt.{name.removeprefix('target.')}" in state for name in moved)
    assert not torch.equal(state["gpt.token_embedding.weight"], state["target.token_embedding.weight"])
    assert torch.equal(state["codebook"], torch.from_numpy(task.episodes().codebook))
    with Image.open(alone / "reports" / "values" / "step-00000006.png") as picture:
        assert min(picture.size) > 100


class MortalTask(VocTask):
    """Is asked to stop after update 3, and does so after update 4."""

    def after_update(self, model: nn.Module, step: StepInfo) -> None:
        super().after_update(model, step)
        if step.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_resumed_run_equals_an_uninterrupted_one(task: VocTask, alone: Path, tmp_path: Path) -> None:
    spec = spec_of(MortalTask.model_validate(task.model_dump()), tmp_path)
    with pytest.raises(TrainingInterrupted):
        launch(spec)
    assert launch(spec).resumed_from == 4
    expected, found = weights(alone), weights(tmp_path)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_equal_one(task: VocTask, tmp_path: Path) -> None:
    steady = changed(task, model=make_config(actions=True))
    folders = [tmp_path / "one", tmp_path / "two"]
    for processes, folder in enumerate(folders, start=1):
        launch(spec_of(steady, folder, processes, steps=3))
    one, two = (weights(folder, 3) for folder in folders)
    for name, value in one.items():
        difference = float((two[name] - value).abs().max())
        assert difference <= 1e-5 + 1e-4 * float(value.abs().max()), name


def test_bfloat16_trains(task: VocTask, tmp_path: Path) -> None:
    launch(spec_of(task, tmp_path, steps=3, precision="bf16"))
    rows = read_rows(tmp_path / "run" / "train_log.jsonl")
    assert all(np.isfinite(row["train/loss"]) for row in rows)


def test_without_rewards_there_are_no_pictures(task: VocTask, tmp_path: Path) -> None:
    plain = changed(task, model=make_config(reward=False))
    assert plain.on_checkpoint(plain.build_model(), tmp_path, 1) == []


def test_the_predictor_answers_in_arrays(task: VocTask, alone: Path) -> None:
    model = trained_model(VocModel(task.model), weights(alone))
    predictor, episodes = OccupancyPredictor(model), task.episodes()
    states = episodes.states_of(0, 2)[:-1]
    actions = episodes.actions[episodes.outcomes_of(0)].astype(np.float64)
    seeds = np.arange(len(states))
    rewards = predictor.reward_samples(states, seeds, 5, actions)
    assert rewards.shape == (9, 5) and rewards.dtype == np.float64
    np.testing.assert_allclose(
        predictor.reward_samples(states[3:4], seeds[3:4], 5, actions[3:4]), rewards[3:4], rtol=1e-5
    )
    drawn = predictor.state_samples(states, seeds, 5, actions)
    np.testing.assert_allclose(
        predictor.rewards(drawn.reshape(-1, 4)).reshape(9, 5), rewards, rtol=1e-4, atol=1e-6
    )
    likely = predictor.log_probabilities(states, states, actions)
    assert likely.shape == (9, 4) and (likely < 0).all()
    again, raw = predictor.token_scores(states, states, actions)
    np.testing.assert_array_equal(again, likely)
    assert (raw - likely).std() > 0 and predictor.rewards(states).shape == (9,)
