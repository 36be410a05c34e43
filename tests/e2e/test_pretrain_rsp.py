"""``kedro run --pipelines pretrain_rsp``: what it writes, and what a second run does."""

import json
import logging
import pickle
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import vidrep_pipelines
from tests.helpers.project import TINY, load, merged, run_pipeline


def file_times(folder: Path, pattern: str) -> dict[str, int]:
    """Modification times of all matching files below a folder; there must be some."""
    found = sorted(path for path in folder.rglob(pattern) if path.is_file())
    assert found, f"nothing below {folder} matches {pattern}"
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def heavy_files(data: Path) -> list[dict[str, int]]:
    """What no second run may write again: rendered and resized clips, checkpoints. Locks are no results."""
    wanted = (
        ("01_raw", "*.mp4"),
        ("01_raw", "*.h5"),
        ("03_primary/resized_videos", "*.mp4"),
        ("03_primary/resized_videos", "*.packets"),
        ("06_models/rsp/run/checkpoints", "*.safetensors"),
        ("06_models/rsp/run/checkpoints", "*.json"),
    )
    return [file_times(data / folder, pattern) for folder, pattern in wanted]


def test_everything_is_written(finished_run: Path) -> None:
    clips = pd.read_parquet(finished_run / "05_model_input/clip_table.parquet")
    assert len(clips) == TINY["sample_world"]["clips"]
    assert all((finished_run / "03_primary/resized_videos" / path).is_file() for path in clips["path"])
    for picture in (
        "contact_sheet.png",
        "label_filter/report.png",
        "rsp/loss_curves.png",
        "rsp/predictions.png",
        "rsp/predictions/step-00000006.png",
    ):
        with Image.open(finished_run / "08_reporting" / picture) as image:
            assert min(image.size) > 50
            low, high = image.convert("L").getextrema()
            assert high - low > 100  # something is drawn


def test_every_step_is_logged_once(finished_run: Path) -> None:
    log = pd.read_parquet(finished_run / "08_reporting/rsp/train_log.parquet")
    assert log["step"].tolist() == list(range(7))
    assert log["train/loss"].notna().tolist() == [False, *[True] * 6]  # row 0 is the untrained model's probe
    probed = log.loc[log["probe/latent_gain"].notna(), "step"]
    assert probed.tolist() == log.loc[log["probe/davis_j_and_f"].notna(), "step"].tolist() == [0, 6]
    assert {"train/loss_posterior", "train/loss_masked", "train/kl"} <= set(log.columns)


def test_checkpoint_is_published(finished_run: Path) -> None:
    checkpoint = finished_run / "06_models/rsp/checkpoint"
    tensors = load_file(checkpoint / "model.safetensors")
    assert any(name.startswith("encoder.") for name in tensors)
    assert json.loads((checkpoint / "meta.json").read_text())["step"] == 6


def test_label_list_is_the_official_one(finished_run: Path) -> None:
    with (finished_run / "05_model_input/labels/label_full_1.0.pickle").open("rb") as file:
        rows = pickle.load(file)
    clips = pd.read_parquet(finished_run / "05_model_input/clip_table.parquet")
    assert rows == [(row.class_id, f"resized_videos/{row.path}") for row in clips.itertuples()]
    names = clips.drop_duplicates("class_id").sort_values("class_id")["class_name"].tolist()
    assert names == sorted(names)


def test_sample_world_truth_is_in_the_catalog(finished_run: Path) -> None:
    truth = load("sample_world_truth", finished_run)
    clips = load("clip_table", finished_run)
    name, frames = clips["id"].iloc[0], int(clips["frames"].iloc[0])
    assert truth.read(name, "masks").shape[0] == frames
    assert truth.read(name, "phases").shape == (frames,)
    assert truth.attributes(name)["instruction"]


def test_a_second_run_does_nothing_heavy_and_says_so(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = heavy_files(data)
    with caplog.at_level(logging.INFO):
        run_pipeline("pretrain_rsp", data, TINY)
    assert heavy_files(data) == before
    text = caplog.text
    assert "resize: up to date (6 items)" in text
    assert "training is up to date" in text


def test_a_changed_training_parameter_retrains_only(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = file_times(data / "03_primary/resized_videos", "*.mp4")
    with caplog.at_level(logging.INFO):
        changed = merged(TINY, {"rsp": {"train": {"steps": 7}}})
        run_pipeline("pretrain_rsp", data, changed, to_nodes=["rsp.train"])
    assert file_times(data / "03_primary/resized_videos", "*.mp4") == before
    assert "train.steps: 6 -> 7" in caplog.text
    assert pd.read_parquet(data / "08_reporting/rsp/train_log.parquet")["train/loss"].count() == 7


def test_a_changed_resize_parameter_redoes_from_there(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    rendered = file_times(data / "01_raw/sample_world", "*.mp4")
    resized = file_times(data / "03_primary/resized_videos", "*.mp4")
    with caplog.at_level(logging.INFO):
        changed = merged(TINY, {"resize": {"short_side": 48}})
        run_pipeline("pretrain_rsp", data, changed, to_nodes=["rsp.train"])
    assert file_times(data / "01_raw/sample_world", "*.mp4") == rendered
    after = file_times(data / "03_primary/resized_videos", "*.mp4")
    assert after.keys() == resized.keys()
    assert all(after[name] > resized[name] for name in after)
    assert re.search(r"data: \w+ -> \w+", caplog.text)  # the training says what changed
    assert set(pd.read_parquet(data / "05_model_input/clip_table.parquet")["height"]) == {48}


def test_export_has_the_original_names(data: Path) -> None:
    exports = ["rsp.export", "rsp.describe_export", "rsp.export_to_timm"]
    run_pipeline("export_rsp", data, TINY, to_nodes=exports)
    exported = load("rsp.original_checkpoint", data)
    assert {"model", "epoch"} <= exported.keys()
    assert {"cls_token", "decoder_pred.weight", "to_prior.0.weight"} <= exported["model"].keys()
    places = ("07_model_output/rsp/original_checkpoint.pth", "07_model_output/rsp/timm_encoder")
    frames = torch.rand(1, 2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    expected = vidrep_pipelines.load(data / "06_models/rsp/checkpoint").encode(frames)
    for place in places:
        vectors = vidrep_pipelines.load(data / place).encode(frames).vectors
        torch.testing.assert_close(vectors, expected.vectors, rtol=0, atol=1e-5)


def test_training_starts_from_an_exported_checkpoint(data: Path) -> None:
    run_pipeline("export_rsp", data, TINY, node_names=["rsp.export"])
    path = data / "07_model_output/rsp/original_checkpoint.pth"
    exported = merged(TINY, {"rsp": {"initialize_from": str(path)}})
    run_pipeline("pretrain_rsp", data, exported, to_nodes=["rsp.train"])
    log = pd.read_parquet(data / "08_reporting/rsp/train_log.parquet")
    assert log["train/loss"].count() == 6


def test_a_copied_data_root_is_gone_on_from(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The last step of docs/scale.md, and then everything, with the original out of reach."""
    copy = shutil.copytree(data, tmp_path / "copy", copy_function=shutil.copy2)
    hidden = data.rename(tmp_path / "hidden")
    try:
        with caplog.at_level(logging.INFO):
            run_pipeline("pretrain_rsp", copy, TINY, from_nodes=["rsp.train"])
            run_pipeline("pretrain_rsp", copy, TINY)
        assert not data.exists()
    finally:
        hidden.rename(data)
    assert caplog.text.count("training is up to date") == 2
    assert "resize: up to date (6 items)" in caplog.text
    texts = [path.read_text() for path in copy.rglob("*.json*") if path.is_file()]
    assert not any(str(data) in text for text in texts)
