"""The pipelines of VQ-VAE: what they write, what a second run does, and what bad input leads to."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.helpers.notebooks import check_runs
from tests.helpers.project import ROOT, load, merged, run_pipeline
from tests.helpers.rate_distortion import TINY_RATES
from tests.helpers.robonet import robot_frames, write_trajectory
from tests.helpers.videos import truncate
from tests.helpers.vqvae import TINY_VQVAE
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae

PIPELINES = ("eval_reconstruction", "latent_extraction_vqvae")
REPORTS = "08_reporting/vqvae"
RECONSTRUCTION = f"{REPORTS}/reconstruction"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data folder after the evaluation and the extraction of codes."""
    folder = tmp_path_factory.mktemp("vqvae")
    run_pipeline(PIPELINES, folder, TINY_VQVAE)
    return folder


def times(folder: Path, pattern: str) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob(pattern))}


def check_picture(path: Path) -> None:
    with Image.open(path) as image:
        low, high = image.convert("L").getextrema()
    assert high - low > 100, path  # something is drawn


def test_frame_store_has_states_and_splits(data: Path) -> None:
    store = load("frame_store", data)
    assert store.table["split"].value_counts().to_dict() == {"train": 5, "test": 2, "validation": 1}
    name = store.ids[0]
    assert store.frames(name, slice(2, 5)).shape == (3, 16, 16, 3)
    assert len(store.states(name)) == 16 and len(store.actions(name)) == 15
    report = json.loads((data / "08_reporting/robonet/report.json").read_text())
    assert report["left_out"] == {} and sum(row["frames"] for row in report["splits"]) == 8 * 16
    assert report["mean"] == pytest.approx(list(store.facts.mean))


def test_pictures_and_film(data: Path) -> None:
    for name in (
        "08_reporting/robonet/contact_sheet.png",
        *(f"{REPORTS}/{name}.png" for name in ("loss_curves", "predictions", "code_use", "decoded")),
        f"{REPORTS}/codes_histogram.png",
        *(f"{RECONSTRUCTION}/{name}.png" for name in ("strips", "per_robot", "rate_distortion")),
    ):
        check_picture(data / name)
    film = load("vqvae.reconstruction_film", data)
    assert len(film) == 12 and film.std() > 10


def test_measures_both_pixel_ranges_per_robot(data: Path) -> None:
    summary = pd.read_parquet(data / RECONSTRUCTION / "summary.parquet")
    assert set(summary["pixels"]) == {"clamped", "as_published"}
    assert set(summary["metric"]) == {"psnr", "ssim"}
    values = pd.read_parquet(data / RECONSTRUCTION / "values.parquet")
    assert set(summary["robot"]) == {"all", *values["robot"]}
    overall = summary[(summary["robot"] == "all") & (summary["pixels"] == "clamped")].set_index("metric")
    clamped = values[values["pixels"] == "clamped"]
    assert overall.loc["psnr", "value"] == pytest.approx(clamped["psnr"].mean())
    assert overall.loc["psnr", "low"] <= overall.loc["psnr", "value"] <= overall.loc["psnr", "high"]
    metrics = json.loads((data / RECONSTRUCTION / "metrics.json").read_text())
    assert metrics["psnr"] == overall.loc["psnr", "value"] and metrics["bits_per_frame"] == 64 * 4
    assert (
        metrics["remarks"] == []
        and len(metrics["skipped"]) == 3
        and all("needs" in line for line in metrics["skipped"])
    )


def test_codes_decode_to_the_reconstruction_bit_for_bit(data: Path) -> None:
    codes = load("vqvae.codes", data)
    trained = TrainedVqvae.load(data / "06_models/vqvae/checkpoint")
    used = set()
    for view in codes.store.ids:
        frames, found = codes.frames(view, slice(0, 16)), codes.codes(view, slice(0, 16))
        assert found.dtype == np.int16
        reconstruction, expected = trained.reconstruct(frames[None])
        np.testing.assert_array_equal(found, expected[0])
        assert torch.equal(trained.decode(found[None]), reconstruction)
        used |= set(found.flatten().tolist())
    report = json.loads((data / REPORTS / "codes_report.json").read_text())
    assert report["codebook_use"] == len(used) / 16
    assert report["codes"] == 8 * 16 * 64


@pytest.mark.slow
def test_the_notebook_runs(data: Path) -> None:
    check_runs(ROOT / "notebooks/vqvae.ipynb", data, {"reconstruction", "strips", "rate", "histogram"})


def test_a_second_run_does_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    heavy = [(data / "05_model_input", "*.h5"), (data / "06_models/vqvae/run", "*.safetensors")]
    heavy += [(data / "07_model_output/vqvae/codes", "*.h5"), (data / "01_raw", "*.mp4")]
    before = [times(*place) for place in heavy]
    with caplog.at_level(logging.INFO):
        run_pipeline(PIPELINES, data, TINY_VQVAE)
    assert [times(*place) for place in heavy] == before
    for line in (
        "trajectories: up to date",
        "episodes: up to date",
        "shards: up to date",
        "training is up to date",
        "reconstruction: up to date",
        "codes: up to date",
    ):
        assert line in caplog.text


def test_held_out_frames_are_measured_while_training_and_the_best_weights_kept(data: Path) -> None:
    log = pd.read_parquet(data / REPORTS / "train_log.parquet")
    measured = log.dropna(subset=["probe/loss"])
    assert list(measured["step"]) == [2, 4] and (measured["probe/perplexity"] >= 1).all()
    (kept,) = (data / "06_models/vqvae/run/best/lowest_loss").iterdir()
    best = measured.loc[measured["probe/loss"].idxmin()]
    score = json.loads((kept / "score.json").read_text())["loss"]
    assert kept.name == f"step-{int(best['step']):08d}" and score == best["probe/loss"]
    check_picture(data / REPORTS / "held_out/step-00000004.png")


def test_a_checkpoint_of_the_original_code_is_measured_without_training(data: Path, tmp_path: Path) -> None:
    """Exported and read again, the model measures what it measured before, though groups are not 32."""
    run_pipeline("export_vqvae", data, TINY_VQVAE, to_nodes=["vqvae.export"])
    path = data / "07_model_output/vqvae/original_checkpoint.pth"
    original = {"vqvae_original": {"path": str(path), "image_size": 16}}
    run_pipeline("eval_reconstruction_original", data, merged(TINY_VQVAE, original))
    place = data / "08_reporting/vqvae_original/reconstruction"
    found, expected = (
        json.loads((folder / "metrics.json").read_text()) for folder in (place, data / RECONSTRUCTION)
    )
    assert found["psnr"] == pytest.approx(expected["psnr"], rel=1e-6) and found["psnr"] > 0
    assert found["codebook_use"] == expected["codebook_use"]
    assert found["label"] == "original, original_checkpoint.pth"
    check_picture(place / "strips.png")
    with pytest.raises(Exception, match=r"vqvae_original\.path names no checkpoint.*VIDREP_VQVAE"):
        run_pipeline("eval_reconstruction_original", data, TINY_VQVAE)


def test_changes_redo_what_follows(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = times(data / "05_model_input", "*.h5")
    run_pipeline(
        "latent_extraction_vqvae",
        data,
        merged(TINY_VQVAE, {"vqvae": {"latent_extraction": {"latents": True}}}),
        to_nodes=["vqvae.extract_codes"],
    )
    codes = load("vqvae.codes", data)
    assert codes.latents(codes.store.ids[0]).shape == (16, 4, 8, 8)
    changed = merged(TINY_VQVAE, {"vqvae": {"train": {"steps": 5}}})
    with caplog.at_level(logging.INFO):
        run_pipeline(
            PIPELINES, data, changed, to_nodes=["vqvae.extract_codes", "vqvae.measure_reconstruction"]
        )
    assert "codes: 3 items are out of date" in caplog.text
    assert times(data / "05_model_input", "*.h5") == frames
    assert len(load("vqvae.reconstruction_runs", data)) == 2  # each run is a point of the chart


def test_export_can_be_started_from(data: Path) -> None:
    plain = {"vqvae": {"model": {"codebook": {"update": "gradient", "restart_below": 0.0}}}}
    run_pipeline("export_vqvae", data, merged(TINY_VQVAE, plain), to_nodes=["vqvae.export"])
    exported = load("vqvae.original_checkpoint", data)
    assert exported["step"] == 4
    assert {"quantize.embedding.weight", "quant_conv.weight"} <= exported["model_state_dict"].keys()
    path = data / "07_model_output/vqvae/original_checkpoint.pth"
    start = {
        "vqvae": {
            "run": {"initialize_from": str(path)},
            "train": {"steps": 1, "optimizer": {"warmup_steps": 0}},
        }
    }
    run_pipeline("pretrain_vqvae", data, merged(TINY_VQVAE, plain, start), to_nodes=["vqvae.train"])
    assert load("vqvae_checkpoint", data).meta["step"] == 1


def test_published_configurations_side_by_side(data: Path) -> None:
    drawn = ["vqvae.compare_variants", "vqvae_clips.draw_reconstructions", "vqvae_clips.draw_clips"]
    run_pipeline("ablate_vqvae", data, TINY_VQVAE, to_nodes=drawn)
    table = load("vqvae.ablation_table", data)
    assert [label.split(",")[0] for label in table["label"]] == ["2d", "2d", "3d"]
    assert [("perceptual stand-in" in label) for label in table["label"]] == [False, True, True]
    assert table["psnr"].notna().all() and table["codebook_use"].between(0, 1).all()
    check_picture(data / REPORTS / "ablation.png")
    spec = json.loads((data / "06_models/vqvae_clips/training_spec.json").read_text())
    assert (spec["task_config"]["data"]["clip_frames"], spec["train"]["batch_size"]) == (12, 1)


def test_codes_and_floors_at_equal_bits(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny = merged(TINY_VQVAE, {"rate_distortion": {**TINY_RATES, "seeds": 1}})
    run_pipeline("eval_rate_distortion", data, tiny)
    folder = data / "08_reporting/rate_distortion"
    summary = pd.read_parquet(folder / "summary.parquet")
    contenders = {"gradient", "ema", "fsq", "jpeg", "webp", "area", "nearest"}
    assert set(summary["contender"]) == contenders and len(summary) == 7 * 3 * 2
    psnr = summary[summary["metric"] == "psnr"]
    trained = psnr[psnr["contender"].isin(["gradient", "ema", "fsq"])]
    assert set(trained["bits_per_pixel"].round(6)) == {0.25, round(np.log2(9) / 4, 6), 1.0}
    assert (psnr["low"] <= psnr["value"]).all() and (psnr["value"] <= psnr["high"]).all()
    values = load("rate_distortion.values", data)
    assert set(values["split"]) == {"validation", "test"}
    for name in ("comparison", "frames"):
        check_picture(folder / f"{name}.png")
    change = {"rate_distortion": {"codes": {"ema": {"decay": 0.5}}}}
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_rate_distortion", data, merged(tiny, change))
    assert "9 items, 6 done before, 3 done now" in caplog.text


def robonet_folder(root: Path) -> None:
    """Good trajectories of two robots, and one of every kind of bad one."""
    for number in range(4):
        frames = [robot_frames(13, seed=number), robot_frames(13, seed=number + 9)]
        encoding, robot = (("mp4", "sawyer"), ("jpg", "kuka"))[number % 2]
        write_trajectory(root / f"lab_{robot}_traj{number}.hdf5", frames, encoding, robot=robot)
    frames = robot_frames(13)
    write_trajectory(root / "lab_kuka_traj10.hdf5", [])
    truncate(write_trajectory(root / "lab_kuka_traj11.hdf5", [frames]), 0.5)
    write_trajectory(root / "lab_kuka_traj12.hdf5", [frames[:8]])
    with h5py.File(write_trajectory(root / "lab_kuka_traj13.hdf5", [frames, frames]), "a") as file:
        file["env/cam0_video/frame4"][:] = 0
    with h5py.File(write_trajectory(root / "lab_kuka_traj14.hdf5", [frames]), "a") as file:
        for node in file["env/cam0_video"].values():
            node.attrs["shape"] = np.array([48, 64, 3])


def test_robonet_with_bad_files_and_a_wrong_metric_file(tmp_path: Path) -> None:
    raw, wrong = tmp_path / "raw", tmp_path / "wrong.pt"
    raw.mkdir()
    robonet_folder(raw)
    torch.jit.script(torch.nn.ReLU()).save(str(wrong))
    changes: dict[str, Any] = {
        "robonet": {"root": str(raw)},
        "vqvae": {"train": {"batch_size": 4}},
        "reconstruction": {"action_features": str(wrong), "vgg16": str(tmp_path / "absent.pth")},
    }
    ends = ["robonet.report_store", "robonet.tabulate_metadata", "vqvae.measure_reconstruction"]
    run_pipeline("eval_reconstruction", tmp_path / "data", merged(TINY_VQVAE, changes), to_nodes=ends)
    data = tmp_path / "data"
    report = json.loads((data / "08_reporting/robonet/report.json").read_text())
    reasons = {
        "lab_kuka_traj10": "without a camera",
        "lab_kuka_traj11": "no whole RoboNet file",
        "lab_kuka_traj12": "8 usable frames",
        "lab_kuka_traj14": "frame 0 is 32x24, the file says 64x48",
    }
    assert report["left_out"].keys() == reasons.keys()
    for name, reason in reasons.items():
        assert reason in report["left_out"][name]
    assert "frame 4 is no whole JPEG" in report["damaged"]["lab_kuka_traj13"]
    store = FrameStore(data / "05_model_input/frame_store")
    assert len(store) == 4 * 2 + 1 and set(store.table["robot"]) == {"sawyer", "kuka"}
    metadata = pd.read_parquet(data / "02_intermediate/robonet/metadata.parquet")
    assert metadata.loc["lab_sawyer_traj0.hdf5", "img_encoding"] == "mp4" and len(metadata) == 8
    skipped = json.loads((data / RECONSTRUCTION / "metrics.json").read_text())["skipped"]
    assert any("wrong.pt holds another network" in line for line in skipped)
    assert any("set both vgg16 and perceptual_heads" in line for line in skipped)


def test_any_folder_of_videos_can_be_the_source(data: Path, tmp_path: Path) -> None:
    videos = {"ingest": {"root": str(data / "01_raw/robonet_clips")}}
    run_pipeline("ingest_robonet", tmp_path, merged(TINY_VQVAE, videos), to_nodes=["robonet.assemble_store"])
    store, rendered = load("frame_store", tmp_path), load("frame_store", data)
    assert list(store.ids) == list(rendered.ids)
    np.testing.assert_array_equal(store.frames(store.ids[0]), rendered.frames(store.ids[0]))
    assert len(store.states(store.ids[0])) == 0  # nothing is known about other people's videos


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"robonet": {"root": "/nowhere"}}, "robonet.root: /nowhere is no folder"),
        ({"ingest": {"root": "s3://bucket/videos"}}, "not from s3://bucket/videos"),
        ({"frame_store": {"frames": {"height": 24}}}, "frames of 16x24 pixels, the model takes 16x16"),
        ({"measured_clips": {"frames": 17}}, "No view has the 17 frames"),
        ({"vqvae": {"run": {"preset": "baseline_3d"}}}, "baseline_2d"),
    ],
)
def test_impossible_parameters_are_named(
    changes: dict[str, Any], message: str, data: Path, tmp_path: Path
) -> None:
    folder = data if "measured_clips" in changes or "vqvae" in changes else tmp_path
    with pytest.raises(Exception, match=message):
        run_pipeline("eval_reconstruction", folder, merged(TINY_VQVAE, changes))


def test_empty_robonet_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"no \.hdf5 file below"):
        run_pipeline("ingest_robonet", tmp_path, merged(TINY_VQVAE, {"robonet": {"root": str(tmp_path)}}))
