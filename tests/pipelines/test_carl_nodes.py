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

from tests.helpers.frame_embeddings import labelled_videos
from tests.models.carl.tiny import SIZES, make_config, make_model
from tests.models.carl.videos import label_index
from tests.pipelines.planned import assert_published_as_planned
from vidrep_pipelines.adapters.carl_validation import CarlValidation
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import read_labelled_videos
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.carl.checkpoint_io import original_checkpoint, original_settings
from vidrep_pipelines.models.carl.config import (
    CarlDataConfig,
    CarlModelConfig,
    CarlObjectiveConfig,
    CarlValidationConfig,
    EmbeddingConfig,
    OriginalCarlConfig,
)
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig
from vidrep_pipelines.models.carl.inference import TrainedCarl
from vidrep_pipelines.models.carl.presets import CarlPreset, CarlPresetName, Release
from vidrep_pipelines.models.carl.task import CarlTask
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.latent_extraction.carl_nodes import open_original_carl
from vidrep_pipelines.pipelines.pretrain.carl_nodes import (
    CarlRunConfig,
    initialize_carl,
    plan_carl,
    plan_carl_on_clips,
)
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.parts import build_parts
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.task import load_task

MEASURED: dict[str, Any] = {
    "validation": CarlValidationConfig(),
    "embedding": EmbeddingConfig(),
    "phases": PhasesConfig(),
}
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
    spec = plan_carl(store, changes.pop("labelled", LABELLED), **{**MEASURED, **arguments(folder, **changes)})
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
        assert plan_carl(store, unlabelled, **MEASURED, **arguments(tmp_path, run=run))
    run = CarlRunConfig(preset="classification_transformer", backbone_origin="random")
    with pytest.raises(InputError, match=r"no frame of the splits \['train'\] has a label"):
        plan_carl(store, unlabelled, **MEASURED, **arguments(tmp_path, run=run))


def test_held_out_videos_are_measured_while_training(tmp_path: Path) -> None:
    both = labelled_videos({"train/pour_0": [0, 1, 2], "validation/pour_1": [0, 1, 1, 2]})
    own = CarlValidationConfig(every=None, every_steps=7, keep={"loss": "lowest"}, publish="loss")
    spec = plan(tmp_path, labelled=both, validation=own)
    assert spec.probe is not None and (spec.probe.every_steps, spec.probe.publish) == (7, "loss")
    probe = CarlValidation.model_validate(spec.probe.config)
    assert probe.task.splits == ("validation",) and probe.evaluate
    assert read_labelled_videos(probe.labels).digest == both.digest
    unlabelled = labelled_videos({"train/pour_0": [0, 1, 2], "validation/pour_1": [-1, -1]})
    only_loss = plan(tmp_path, labelled=unlabelled).probe
    assert only_loss is not None and not only_loss.config["evaluate"] and only_loss.every == 50
    never = plan(tmp_path, labelled=both, validation=CarlValidationConfig(every=None))
    assert never.probe is None and plan(tmp_path).probe is None  # the latter: no video is held out
    digests = {RunRecord.of(each, load_task(each)).digest for each in (spec, never)}
    assert len(digests) == 1


def test_a_deeper_model_starts_from_fewer_layers_if_told_so(tmp_path: Path) -> None:
    state, config = make_model(layers=2).state_dict(), make_config(layers=2)
    path = tmp_path / "kinetics.pth"
    torch.save(original_checkpoint(state, epoch=9, settings=original_settings(config)), path)

    def started(**options: Any) -> Any:
        run = CarlRunConfig(backbone_origin="random", initialize_from=path, **options)
        return load_task(plan(tmp_path, run=run, model=make_config(layers=3))).build_model().state_dict()

    with pytest.raises(InputError, match=r"head\.layers\.2\.\S+ is missing"):
        started()
    deeper = started(missing_layers="copy_last")
    for name, value in state.items():
        assert torch.equal(deeper[name], value), name
        if name.startswith("head.layers.1."):
            assert torch.equal(deeper[name.replace("layers.1.", "layers.2.")], value), name


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


def test_an_original_checkpoint_and_its_floor_become_checkpoints_of_the_catalog(tmp_path: Path) -> None:
    config, state = make_config(), make_model().state_dict()
    path = tmp_path / "checkpoint_epoch_00002.pth"
    torch.save(original_checkpoint(state, epoch=2, settings=original_settings(config)), path)
    original = OriginalCarlConfig(path=path, image_size=32, heads=2, evaluation_crop="resize")
    folders = FoldersConfig(models=tmp_path / "models", reporting=tmp_path / "reporting")
    loaded = []
    for number, source in enumerate(open_original_carl(original, folders)):
        dataset = CheckpointDataset(filepath=tmp_path / f"checkpoint_{number}")
        dataset.save(source)
        loaded.append(TrainedCarl.load(dataset.load().directory))
    trained, floor = loaded
    assert all(torch.equal(trained.model.state_dict()[name], value) for name, value in state.items())
    assert not torch.equal(floor.model.head.to_embedding.weight, trained.model.head.to_embedding.weight)
    assert trained.data.evaluation_crop == "resize" and not floor.model.training
