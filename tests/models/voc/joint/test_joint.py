"""Joint training: samples, where gradients go, and that it is resumed as if nothing had happened."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import default_collate

from tests.models.voc.tokenizers.tiny import ACTIONS, make_store, vae_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.voc.config import GptConfig, TargetConfig, VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.joint.config import JointConfig, JointObjectiveConfig
from vidrep_pipelines.models.voc.joint.model import write_parts
from vidrep_pipelines.models.voc.joint.task import JointTask
from vidrep_pipelines.models.voc.presets import fitted_to_tokenizer
from vidrep_pipelines.models.voc.tokenizers.inference import tokenize
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.errors import TrainingInterrupted
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.task import StepInfo

STEP = StepInfo(0, 0.0, torch.Tensor.detach)
PIXELS = vae_config().pixels.model_copy(update={"shift": 0})
TOKENIZER = vae_config(update="ema", decay=0.9).model_copy(update={"pixels": PIXELS})


def make_model(**gpt: Any) -> JointConfig:
    small = GptConfig.model_validate({"layers": 1, "heads": 2, "width": 8, "positions": 256, **gpt})
    occupancy = VocModelConfig(gpt=small, frame_stack=2, grid=(8, 8))
    return JointConfig(tokenizer=TOKENIZER, occupancy=fitted_to_tokenizer(TOKENIZER, occupancy))


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> JointTask:
    store = make_store(tmp_path_factory.mktemp("joint"))
    target = TargetConfig(kind="n_step", steps=2, gamma=0.7)
    return JointTask(
        frame_store=store.folder,
        model=make_model(action_dimension=ACTIONS),
        objective=JointObjectiveConfig(occupancy=VocObjectiveConfig(target=target)),
        seed=3,
    )


def spec_of(task: JointTask, folder: Path) -> TrainSpec:
    return TrainSpec.of(
        task,
        train=TrainConfig(
            steps=4,
            batch_size=2,
            optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=1),
            checkpoint_every_steps=2,
        ),
        launch=LaunchConfig(device="cpu", loader_workers=0, threads_per_process=1),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def test_samples_are_states_of_one_episode(task: JointTask) -> None:
    samples = task.build_dataset()
    store = samples._store
    index = next(n for n in range(len(samples)) if samples.name(n).endswith("step 1"))
    sample, drawn = samples[0, index], samples._draws.draw(0, index)
    view = store.ids[drawn.episode]
    frames = torch.from_numpy(store.frames(view)).permute(0, 3, 1, 2)
    for number, step in enumerate((1, 2, 1 + drawn.offset)):
        assert torch.equal(sample["frames"][number], frames[[step - 1, step]])
    assert sample["reward"] == store.outcomes(view)[1, 0]
    np.testing.assert_array_equal(sample["action"], store.actions(view)[1])
    np.testing.assert_array_equal(sample["target_action"], store.actions(view)[1 + drawn.offset])


def test_no_gradient_of_the_occupancy_model_reaches_the_tokenizer(task: JointTask) -> None:
    batch = default_collate([task.build_dataset()[0, index] for index in range(2)])
    gradients = []
    for weight in (0.0, 5.0):
        changed = task.model_copy(
            update={"objective": task.objective.model_copy(update={"occupancy_weight": weight})}
        )
        torch.manual_seed(0)
        model = changed.build_model()
        changed.loss(model, batch, STEP)[0].backward()
        gradients.append([parameter.grad for parameter in model.tokenizer.parameters()])
        moved = model.occupancy.gpt.norm.weight.grad
        assert moved is not None and bool(moved.any()) == (weight > 0)
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_context_codes_are_those_of_the_tokenizer(task: JointTask) -> None:
    model = task.build_model().eval()
    batch = default_collate([task.build_dataset()[0, index] for index in range(2)])
    frames = batch["frames"][:, 0]
    codes = torch.stack([tokenize(model.tokenizer, states).flatten() for states in frames])
    seen: list[torch.Tensor] = []
    model.occupancy.gpt.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    task.loss(model, batch, STEP)
    assert torch.equal(seen[0][:, : codes.shape[1]], codes)


def test_every_trained_parameter_is_optimized_once(task: JointTask) -> None:
    model = task.build_model()
    grouped = [id(value) for group in task.parameter_groups(model, 0.1) for value in group["params"]]
    trained = [id(value) for value in model.parameters() if value.requires_grad]
    assert sorted(grouped) == sorted(trained)


class MortalTask(JointTask):
    """Is asked to stop after update 2."""

    def after_update(self, model: nn.Module, step: StepInfo) -> None:
        super().after_update(model, step)
        if step.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_resumed_run_equals_an_uninterrupted_one(task: JointTask, tmp_path: Path) -> None:
    whole = launch(spec_of(task, tmp_path / "whole"))
    spec = spec_of(MortalTask.model_validate(task.model_dump()), tmp_path / "killed")
    with pytest.raises(TrainingInterrupted):
        launch(spec)
    resumed = launch(spec)
    assert resumed.resumed_from in (2, 3)
    expected, found = (load_file(run.checkpoint / "model.safetensors") for run in (whole, resumed))
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    parts = write_parts(whole.checkpoint / "model.safetensors", tmp_path / "parts")
    tokenizer, occupancy = (load_file(path / "model.safetensors") for path in parts)
    assert torch.equal(occupancy["codebook"], tokenizer["quantizer.codebook"])
    assert len(tokenizer) + len(occupancy) == len(expected)


def test_identity_has_no_paths(task: JointTask) -> None:
    assert str(task.frame_store) not in json.dumps(task.identity())
    assert JointTask.model_validate({**task.model_dump(), "seed": 9}).identity() != task.identity()


def test_what_does_not_fit_is_named(task: JointTask, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"occupancy\.gpt\.vocabulary=11.*Remedy: .*: 16"):
        JointConfig.model_validate(
            {
                "tokenizer": TOKENIZER.model_dump(),
                "occupancy": {"gpt": {"vocabulary": 11}, "grid": (8, 8), "frame_stack": 2},
            }
        )
    other = task.model_copy(update={"model": make_model(action_dimension=ACTIONS + 1)})
    with pytest.raises(ConfigurationError, match=r"set model\.occupancy\.gpt\.action_dimension"):
        other.build_dataset()
    poor = task.model_copy(update={"frame_store": make_store(tmp_path, "no rewards").folder})
    with pytest.raises(InputError, match="tiny_0 lacks rewards"):
        poor.build_dataset()
