"""What is measured of CARL on held-out videos while it is trained."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers.frame_embeddings import labelled_videos, rising
from tests.helpers.stores import ArrayEpisode, assembly_job, prepare
from tests.models.carl.tiny import make_config
from vidrep_pipelines.adapters.carl_validation import CarlValidation
from vidrep_pipelines.data.frame_store.config import FramesConfig, FrameStoreConfig
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_labels import keep_labelled_videos
from vidrep_pipelines.data.sources.long_videos.shards import plan_split_shards
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.carl.config import (
    CarlDataConfig,
    CarlObjectiveConfig,
    CarlValidationConfig,
    EmbeddingConfig,
)
from vidrep_pipelines.models.carl.dataset import write_frame_labels
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig
from vidrep_pipelines.models.carl.inference import TrainedCarl
from vidrep_pipelines.models.carl.task import CarlTask

FRAMES = FramesConfig(height=32, width=32, min_frames=2)
PHASES = PhasesConfig(stride=1, neighbors=(2,), fractions=(1.0,))
LABELLED = labelled_videos(
    {
        **{f"train/pour_{n}_0": rising(4 + n, 5, 6) for n in range(3)},
        **{f"validation/pour_{n}_0": rising(5, 3 + 2 * n, 6) for n in range(3)},
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of noise with the labels beside it."""
    folder = tmp_path_factory.mktemp("videos")
    names = [name.removesuffix("_0") for name in LABELLED.ids]  # views are named after their camera, too
    lengths = [len(labels) for labels in LABELLED.labels]
    episodes = [ArrayEpisode(name, (length,)) for name, length in zip(names, lengths, strict=True)]
    parts = prepare(folder / "prepared", episodes, FRAMES)
    splits = dict(zip(names, LABELLED.table["split"], strict=True))
    requests = plan_split_shards(parts.table, parts.folder, splits, FRAMES, FrameStoreConfig(name="videos"))
    shards = run_job(assembly_job(requests), folder / "store")
    write_store_manifest(folder / "store", shards.ids)
    return folder


def validation(folder: Path, task: dict[str, Any] | None = None, **options: Any) -> CarlValidation:
    """Of a model in miniature, on the held-out videos."""
    fields: dict[str, Any] = {
        "frame_store": folder / "store",
        "splits": ("validation",),
        "model": make_config(),
        "data": CarlDataConfig(sampling=ExcerptSamplingConfig(frames=6)),
        "objective": CarlObjectiveConfig(label_variance=3.0),
        "backbone_origin": "random",
        **(task or {}),
    }
    given = {"labels": keep_labelled_videos(folder / "labels", LABELLED), "phases": PHASES}
    return CarlValidation(
        task=CarlTask.model_validate(fields), embedding=EmbeddingConfig(), **{**given, **options}
    )


def built(measured: CarlValidation) -> Any:
    torch.manual_seed(3)
    return measured.task.build_model().eval()


def test_the_loss_is_that_of_the_same_excerpts_every_time(folder: Path) -> None:
    measured = validation(folder, evaluate=False)
    model = built(measured)
    first, again = measured.measure(model), measured.measure(model)
    assert first == again and np.isfinite(first["loss"]) and "kendall_tau" not in first
    with torch.no_grad():
        model.head.to_embedding.weight.mul_(-0.3)
    assert measured.measure(model)["loss"] != first["loss"]


def test_the_tasks_of_the_release_are_done_on_whole_videos(folder: Path) -> None:
    measured = validation(folder)
    model = built(measured)
    scores = measured.measure(model)
    assert {"loss", "phase_classification_100", "phase_progression_100", "kendall_tau"} <= scores.keys()
    assert 0 <= scores["retrieval_at_2"] <= 1 and "classifier_accuracy" not in scores


def test_a_supervised_model_is_measured_by_its_own_classifier(folder: Path) -> None:
    supervised = {
        "model": make_config(projection_width=None, classes=3, normalize=False),
        "objective": CarlObjectiveConfig(name="classification"),
        "data": CarlDataConfig(sampling=ExcerptSamplingConfig(frames=6, views=1)),
        "labels": write_frame_labels(LABELLED, folder),
    }
    measured = validation(folder, supervised)
    model = built(measured)
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(torch.tensor([0.0, 1.0, 0.0]))  # names everything 1
    scores = measured.measure(model)
    held_out = np.concatenate([LABELLED.of(name) for name in LABELLED.ids if name.startswith("validation")])
    assert scores["classifier_accuracy"] == pytest.approx((held_out == 1).mean())
    assert 0 <= scores["accuracy"] <= 1  # of excerpts


def test_embeddings_are_those_of_the_extraction(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def catch(labelled: Any, encoders: Any, config: Any, device: str) -> Any:
        seen.update(encoders["trained"].arrays)
        return SimpleNamespace(summary=pd.DataFrame({"measure": [], "value": []}))

    monkeypatch.setattr("vidrep_pipelines.adapters.carl_validation.measure_embeddings", catch)
    measured = validation(folder)
    model = built(measured)
    measured.measure(model)
    store, trained = FrameStore(folder / "store"), TrainedCarl(model, measured.task.data)
    assert set(seen) == set(LABELLED.ids)
    for name in LABELLED.ids:
        expected = trained.embed(
            lambda ranks, video=name: store.frames(video, ranks), store.length(name), EmbeddingConfig()
        )
        np.testing.assert_array_equal(seen[name], expected)


def test_tasks_that_cannot_be_done_do_not_end_a_training(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    impossible = validation(folder, phases=PHASES.model_copy(update={"tasks": ("action_classification",)}))
    with caplog.at_level(logging.WARNING):
        scores = impossible.measure(built(impossible))
    assert "loss" in scores and "kendall_tau" not in scores
    assert "tasks are not done while training. None of action_classification" in caplog.text


def test_one_interval_and_something_kept_to_publish() -> None:
    with pytest.raises(ValueError, match="every or every_steps"):
        CarlValidationConfig(every=2, every_steps=3)
    with pytest.raises(ValueError, match="needs an entry in keep"):
        CarlValidationConfig(publish="loss")
