"""The pipelines of CARL: what they write, what a second run does, and what bad input leads to."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.carl import TINY_CARL
from tests.helpers.long_videos import pouring_payload, write_tfrecords
from tests.helpers.project import load, merged, run_pipeline
from vidrep_pipelines.models.carl.checkpoint_io import infer_model_config, load_original
from vidrep_pipelines.models.carl.config import EmbeddingConfig
from vidrep_pipelines.models.carl.inference import TrainedCarl

PIPELINE = "latent_extraction_carl"
EMBEDDINGS = "07_model_output/carl"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the extraction of embeddings."""
    folder = tmp_path_factory.mktemp("carl")
    run_pipeline(PIPELINE, folder, TINY_CARL)
    return folder


def times(folder: Path, pattern: str) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob(pattern))}


def test_every_frame_of_every_split_is_embedded(data: Path) -> None:
    labelled, store = load("pouring_labelled_videos", data), load("pouring_video_frames", data)
    embeddings = load("carl.embeddings", data)
    assert set(embeddings.ids) == set(labelled.ids) == set(store.ids)
    assert set(labelled.table["split"]) == {"train", "validation"}
    for video in embeddings.ids:
        found = embeddings.of(video)
        assert found.shape == (len(labelled.of(video)), 8) and found.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_embeddings_are_those_of_the_checkpoint_and_of_its_first_weights(data: Path) -> None:
    store = load("pouring_video_frames", data)
    for kind, checkpoint in (("embeddings", "checkpoint"), ("untrained_embeddings", "untrained_checkpoint")):
        trained = TrainedCarl.load(load(f"carl.{checkpoint}", data).directory)
        found = load(f"carl.{kind}", data)
        video = found.ids[0]
        frames = store.frames(video)
        expected = trained.embed(frames.__getitem__, len(frames), EmbeddingConfig(chunk_frames=16))
        np.testing.assert_allclose(found.of(video), expected, atol=1e-5)
    after, before = load("carl.embeddings", data), load("carl.untrained_embeddings", data)
    assert after.content_digest != before.content_digest
    assert np.abs(after.of(after.ids[0]) - before.of(before.ids[0])).max() > 1e-3


def test_pictures(data: Path) -> None:
    for name in ("loss_curves", "predictions", "augmented_views"):
        with Image.open(data / f"08_reporting/carl/{name}.png") as image:
            low, high = image.convert("L").getextrema()
        assert high - low > 100, name  # something is drawn


def test_second_run_does_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    written = {**times(data / EMBEDDINGS, "*.h5"), **times(data / "06_models/carl/run/checkpoints", "*")}
    with caplog.at_level(logging.INFO):
        run_pipeline(PIPELINE, data, TINY_CARL)
    found = {**times(data / EMBEDDINGS, "*.h5"), **times(data / "06_models/carl/run/checkpoints", "*")}
    assert found == written and len(written) > 8
    assert caplog.text.count("embeddings: up to date (4 items)") == 2
    assert load("carl.train_metrics", data)["status"] == "up to date"


def test_other_seams_embed_again_without_training(data: Path) -> None:
    before = load("carl.embeddings", data)
    video = before.ids[0]
    blended = before.of(video)
    published = merged(TINY_CARL, {"carl": {"embedding": {"seams": "published"}}})
    run_pipeline(PIPELINE, data, published, to_nodes=["carl.extract_embeddings"])
    after = load("carl.embeddings", data)
    assert load("carl.train_metrics", data)["status"] == "up to date"
    assert after.content_digest != before.content_digest
    assert np.abs(after.of(video) - blended).max() > 1e-4


def test_export_can_be_read_and_started_from(data: Path) -> None:
    run_pipeline("export_carl", data, TINY_CARL, to_nodes=["carl.export"])
    path = data / EMBEDDINGS / "original_checkpoint.pth"
    published = load_original(path)
    config = infer_model_config(published.weights, published.settings, heads=2)
    assert (config.frames, config.normalize, config.layers) == (6, True, 2)
    assert "backbone.4.0.conv1.weight" in published.weights
    start = {"carl": {"run": {"initialize_from": str(path)}, "train": {"steps": 1}}}
    run_pipeline("pretrain_carl", data, merged(TINY_CARL, start), to_nodes=["carl.train"])
    assert load("carl_checkpoint", data).meta["step"] == 1


def test_a_release_with_bad_videos(tmp_path: Path) -> None:
    """Too many labels, an unknown class, phases that never come and a video of one frame stop nothing."""
    root = tmp_path / "release"
    good = [pouring_payload(name, frames, seed=frames) for name, frames in (("a", 9), ("b", 8))]
    bad = [
        pouring_payload("long_labels", 6, [0, 0, 1, 1, 2, 2, 3, 4]),
        pouring_payload("unknown_class", 4, [0, 1, 5, 5]),
        pouring_payload("no_end", 7, [0, 0, 1, 1, 2, 2, 2]),
        pouring_payload("one_frame", 1, [0]),
    ]
    write_tfrecords(root / "pouring_train-0-of-1.tfrecord", [*good, *bad])
    write_tfrecords(root / "pouring_val-0-of-1.tfrecord", [pouring_payload("c", 8, seed=5)])
    changes: dict[str, Any] = {"pouring": {"root": str(root)}, "carl": {"train": {"steps": 1}}}
    run_pipeline(PIPELINE, tmp_path / "data", merged(TINY_CARL, changes))
    left_out = load("pouring.left_out_videos", tmp_path / "data").set_index("id")["reason"]
    embeddings = load("carl.embeddings", tmp_path / "data")
    assert "train/no_end" in embeddings.ids and "validation/c" in embeddings.ids
    assert set(left_out.index) == {"train/long_labels", "train/unknown_class", "train/one_frame"}
    assert "6 frames but 8 labels" in left_out["train/long_labels"]
    assert "5" in left_out["train/unknown_class"] and "1 usable frame" in left_out["train/one_frame"]
    labelled = load("pouring_labelled_videos", tmp_path / "data")
    assert all(len(embeddings.of(video)) == len(labelled.of(video)) for video in labelled.ids)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"backbone_origin": "byol"}, "backbone_weights is None"),
        ({"backbone_origin": "supervised", "backbone_weights": "/nowhere.pth"}, "nowhere.pth"),
        ({"preset": "scl_transformers"}, "preset"),
        ({"splits": ["test"]}, "no view in the split 'test'"),
    ],
)
def test_impossible_runs_are_named(run: dict[str, Any], message: str, data: Path) -> None:
    with pytest.raises(Exception, match=message):
        run_pipeline("pretrain_carl", data, merged(TINY_CARL, {"carl": {"run": run}}))


def test_weights_of_another_kind_are_named(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "resnet.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    run = {"backbone_origin": "supervised", "backbone_weights": str(path)}
    with pytest.raises(Exception, match="does not hold the weights of a supervised ResNet"):
        run_pipeline("pretrain_carl", data, merged(TINY_CARL, {"carl": {"run": run}}))


def test_kinetics_needs_no_labels(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "sample_world": {"clips": 2, "width": 64, "height": 48, "frames_min": 18, "frames_max": 24},
        "resize": {"short_side": 48},
        "carl_kinetics": {**TINY_CARL["carl"]},
    }
    del changes["carl_kinetics"]["embedding"]
    run_pipeline("export_carl_kinetics", tmp_path, merged(TINY_CARL, changes))
    spec = json.loads((tmp_path / "06_models/carl_kinetics/training_spec.json").read_text())
    assert spec["task_config"]["labels"] is None and spec["task_config"]["clip_table"].endswith(".arrow")
    assert spec["task_config"]["objective"]["negatives"] == "batch_noself"
    assert load("carl_kinetics_checkpoint", tmp_path).meta["step"] == 4
