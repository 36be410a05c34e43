import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from tests.models.carl.tiny import SIZES, make_config
from tests.models.carl.videos import label_index
from tests.pipelines.planned import assert_published_as_planned
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig, CarlObjectiveConfig
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig
from vidrep_pipelines.models.carl.presets import CarlPreset, CarlPresetName, Release
from vidrep_pipelines.models.carl.task import CarlTask
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.pretrain.carl_nodes import (
    CarlRunConfig,
    initialize_carl,
    plan_carl,
    plan_carl_on_clips,
)
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.parts import build_parts
from vidrep_pipelines.training.task import load_task

LABELLED = label_index(("train/a", "pour", [0, 1, 2]), ("train/b", "pour", [0, 1, 1]))


def arguments(folder: Path, **changes: Any) -> dict[str, Any]:
    own: dict[str, Any] = {
        "run": CarlRunConfig(backbone_origin="random"),
        "data": CarlDataConfig(sampling=ExcerptSamplingConfig(frames=6)),
        "model": make_config(),
        "objective": CarlObjectiveConfig(label_variance=3.0),
        "train": TrainConfig(steps=3, batch_size=2, seed=5),
        "launch": LaunchConfig(device="cpu"),
        "folders": FoldersConfig(models=folder / "models", reporting=folder / "reporting"),
    }
    return {**own, **changes}


def plan(folder: Path, **changes: Any) -> TrainSpec:
    store: Any = SimpleNamespace(folder=folder / "store", content_digest="frames")
    spec = plan_carl(store, LABELLED, **arguments(folder, **changes))
    return TrainSpec.model_validate(json.loads(json.dumps(spec)))


def test_spec_describes_the_task(tmp_path: Path) -> None:
    run = CarlRunConfig(folder="other", backbone_origin="random", splits=("train", "additional"))
    spec = plan(tmp_path, run=run)
    task: Any = load_task(spec)
    assert isinstance(task, CarlTask)
    assert (task.frame_store, task.splits, task.seed) == (tmp_path / "store", ("train", "additional"), 5)
    assert (task.labels, task.clip_table) == (None, None)
    assert spec.run_directory == tmp_path / "models/other/run"
    assert (spec.report_directory, spec.data_digest) == (tmp_path / "reporting/other", "frames")


@pytest.mark.parametrize("release", get_args(Release))
@pytest.mark.parametrize("name", get_args(CarlPresetName))
def test_published_configurations_as_they_are(name: str, release: str, tmp_path: Path) -> None:
    run = CarlRunConfig.model_validate({"preset": name, "release": release, "backbone_origin": "random"})
    spec = plan(tmp_path, run=run)
    expected: Any = CarlPreset.named(name, run.release, classes=300)  # as many as the labels say
    task: Any = load_task(spec)
    assert (task.model, task.objective, task.data) == (expected.model, expected.objective, expected.data)
    assert spec.train == expected.train.model_copy(update={"seed": 5})
    assert (task.labels is not None) == (name.startswith(("tcc", "classification")))
    assert_published_as_planned(spec, "data", "model")


def test_classification_needs_labels_and_the_others_do_not(tmp_path: Path) -> None:
    unlabelled = label_index(("train/a", "pouring", [-1, -1, -1]), ("train/b", "pouring", [-1, -1]))
    store: Any = SimpleNamespace(folder=tmp_path / "store", content_digest="frames")
    for preset in ("scl", "tcc"):
        run = CarlRunConfig(preset=preset, backbone_origin="random")
        assert plan_carl(store, unlabelled, **arguments(tmp_path, run=run))
    run = CarlRunConfig(preset="classification_transformer", backbone_origin="random")
    with pytest.raises(InputError, match=r"no frame of the splits \['train'\] has a label"):
        plan_carl(store, unlabelled, **arguments(tmp_path, run=run))


def test_names_of_the_first_release() -> None:
    run = CarlRunConfig.model_validate({"preset": "simclr_transformer_action"})
    assert run.preset == "scl_transformer_action"
    with pytest.raises(ValidationError, match="scl_transformer_finegym"):
        CarlRunConfig.model_validate({"preset": "simclr_transfomer"})


@pytest.mark.parametrize("name", get_args(CarlPresetName))
def test_only_the_method_of_published_configurations(name: str, tmp_path: Path) -> None:
    run = CarlRunConfig.model_validate({"preset": name, "sizes": "kept", "backbone_origin": "random"})
    spec = plan(tmp_path, run=run, model=make_config(image_size=65))
    published, task = CarlPreset.named(name, classes=300), load_task(spec)
    assert isinstance(task, CarlTask)
    for field in ("encoder", "context_frames", "normalize", "classes"):
        assert getattr(task.model, field) == getattr(published.model, field)
    for field in ("stage_widths", "hidden_width", "layers", "frames"):
        assert getattr(task.model, field) == SIZES.get(field, CarlModelConfig().layers)
    assert (task.model.projection_width is None) == (published.model.projection_width is None)
    assert (task.objective.name, task.objective.label_variance) == (published.objective.name, 3.0)
    assert task.data.sampling == published.data.sampling.model_copy(update={"frames": 6})
    assert (spec.train.steps, spec.train.batch_size) == (3, 2)


def test_kinetics_is_trained_on_without_labels(clips: pd.DataFrame, videos: Parts, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate(plan_carl_on_clips(clips, videos, **arguments(tmp_path)))
    task: Any = load_task(spec)
    assert task.videos == videos.folder and task.clip_table.is_file() and task.frame_store is None
    assert task.item_names([0, 1]) == ["drop/b", "pour/a"]
    with pytest.raises(ValidationError, match=r"needs model\.classes and labels"):
        plan_carl_on_clips(
            clips,
            videos,
            **arguments(
                tmp_path,
                objective=CarlObjectiveConfig(name="classification"),
                model=make_config(classes=3, projection_width=None),
            ),
        )


def test_first_weights_are_those_that_training_starts_from(tmp_path: Path) -> None:
    spec = plan(tmp_path)
    before = torch.random.get_rng_state()
    source = initialize_carl(spec.model_dump(mode="json"))
    assert torch.equal(before, torch.random.get_rng_state())
    found = load_file(source.directory / source.weights)
    expected = build_parts(spec, load_task(spec), torch.device("cpu")).model.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name].numpy(), value.numpy())
    assert source.config == {name: spec.task_config[name] for name in ("model", "data")}
