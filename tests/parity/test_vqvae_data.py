"""RoboNet is prepared, split and measured as published: every recorded case, found by what it holds."""

import ast
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from tests.parity.discovery import parity_folder
from tests.parity.vqvae_checks.stand_ins import action_features, perceptual
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import FRAMES, read_views
from vidrep_pipelines.data.frame_store.split import deal, subsample
from vidrep_pipelines.data.sources.robonet.header import read_metadata_item
from vidrep_pipelines.data.sources.robonet.trajectory import RoboNetTrajectory
from vidrep_pipelines.evaluation.reconstruction.config import PixelRange
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import (
    peak_signal_to_noise_ratio,
    structural_similarity,
    to_range,
)

Arrays = Mapping[str, NDArray[Any]]

ROOT = parity_folder("vqvae")
RESIZES, SPLITS = sorted(ROOT.rglob("resize.npz")), sorted(ROOT.rglob("split.json"))
METRICS = sorted(ROOT.rglob("metrics.npz"))
EXPECTED = [path for path in sorted(ROOT.rglob("expected_*.npz")) if (path.parent / "raw_hdf5").is_dir()]
TABLES = [path for path in sorted(ROOT.rglob("metadata_expected.csv")) if (path.parent / "raw_hdf5").is_dir()]
RANGES: dict[str, PixelRange] = {"": "as_published", "_clamped": "clamped"}

PSNR_TOLERANCE, SSIM_TOLERANCE, LPIPS_TOLERANCE, FEATURE_TOLERANCE = 1e-5, 2e-6, 1e-6, 1e-5
EXACT_FRECHET, SQRTM_FRECHET = 1e-9, 1e-5


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def name_of(path: Path) -> str:
    return path.parent.name


def test_every_folder_with_data_is_found() -> None:
    if not (ROOT / "preprocess").is_dir() and not (ROOT / "metrics").is_dir():
        pytest.skip("no recorded cases; set VIDREP_PARITY_DIR")
    assert RESIZES or EXPECTED or SPLITS or METRICS


@pytest.mark.parametrize("path", RESIZES, ids=name_of)
def test_resize(path: Path) -> None:
    recorded = arrays(path)
    names = [name.removeprefix("in_") for name in recorded if name.startswith("in_")]
    assert names
    for name in names:
        expected = recorded[f"out_{name}"]
        np.testing.assert_array_equal(resize_frame(recorded[f"in_{name}"], *expected.shape[:2]), expected)


@pytest.mark.parametrize("path", EXPECTED, ids=name_of)
@pytest.mark.parametrize("as_published", [True, False], ids=["as_published", "correct"])
def test_prepared_frames(path: Path, as_published: bool, tmp_path: Path) -> None:
    recorded = arrays(path)
    names = sorted(name.split("/", 1)[1] for name in recorded if name.startswith("as_original/"))
    assert names
    for trajectory in sorted({name.rpartition("_")[0] for name in names}):
        cameras = [name for name in names if name.rpartition("_")[0] == trajectory]
        expected = [recorded[f"as_original/{name}"] for name in cameras]
        if not as_published:
            swapped = [bool(recorded[f"original_swapped_channels/{name}"]) for name in cameras]
            expected = [x[..., ::-1] if swap else x for x, swap in zip(expected, swapped, strict=True)]
        source = RoboNetTrajectory(
            trajectory,
            path.parent / "raw_hdf5" / f"{trajectory}.hdf5",
            jpeg_colors="as_published" if as_published else "rgb",
        )
        height, width = expected[0].shape[1:3]
        frames, found = prepared(source, FramesConfig(height=height, width=width, min_frames=1), tmp_path)
        assert found == cameras
        np.testing.assert_array_equal(frames, np.concatenate(expected))


def prepared(
    source: RoboNetTrajectory, config: FramesConfig, folder: Path
) -> tuple[NDArray[np.uint8], list[str]]:
    path = folder / "prepared.h5"
    prepare_episode(EpisodeRequest(source, config), {".h5": path})
    frames = ContiguousArray(path, FRAMES)
    try:
        return frames.read(0, frames.shape[0]), [view.id for view in read_views(path)]
    finally:
        frames.close()


@pytest.mark.parametrize("path", TABLES, ids=name_of)
def test_metadata_table(path: Path) -> None:
    expected = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
    for name, row in expected.iterrows():
        found = read_metadata_item((str(path.parent / "raw_hdf5" / str(name)), False), {})
        for column, cell in row.items():
            assert column in found
            assert plain(found[str(column)]) == plain(cell), (name, column)


def plain(cell: Any) -> Any:
    """A cell as a number, a truth value, a list of these, or text; NumPy prints lists without commas."""
    if not isinstance(cell, str):
        return plain(str(cell))
    text = cell.strip()
    if text.startswith("["):
        if "," not in text:
            text = re.sub(r"(?<=[^\s\[])\s+(?=[^\s\]])", ", ", text)
        return ast.literal_eval(re.sub(r"(\d)\.(?=[,\s\]])", r"\1.0", text))
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


@pytest.mark.parametrize("path", SPLITS, ids=name_of)
def test_split(path: Path) -> None:
    recorded = json.loads(path.read_text())
    check_split(recorded, recorded, random.Random(recorded["seed"]))
    if "with_num_trajectories" in recorded:
        smaller, rng = recorded["with_num_trajectories"], random.Random(recorded["seed"])
        kept = subsample(smaller["files_in_order"], smaller["num_trajectories"], rng)
        assert kept == smaller["kept_files"]
        check_split(smaller, {**recorded, **smaller}, rng)


def check_split(expected: dict[str, Any], sizes: dict[str, Any], rng: random.Random) -> None:
    dealt = deal(expected["listing_order"], sizes["n_val"], sizes["n_test"], rng)
    assert dealt == {"train": expected["train"], "validation": expected["val"], "test": expected["test"]}


def sets_of(recorded: Arrays) -> list[str]:
    return [
        name.removesuffix("_real")
        for name, value in recorded.items()
        if name.endswith("_real") and "/" not in name and value.ndim == 5
    ]


@pytest.mark.parametrize("suffix", RANGES, ids=RANGES.values())
@pytest.mark.parametrize("path", METRICS, ids=name_of)
def test_pixel_metrics(path: Path, suffix: str, tmp_path: Path) -> None:
    recorded = arrays(path)
    seeds = json.loads((path.parent / "config.json").read_text())["seeds"]
    network = perceptual(seeds["vgg"], seeds["lins"], tmp_path)
    assert sets_of(recorded)
    for name in sets_of(recorded):
        real, other = (
            to_range(torch.from_numpy(recorded[f"{name}_{side}"]), RANGES[suffix])
            for side in ("real", "fake")
        )
        with torch.inference_mode():
            lpips = network(real.flatten(0, 1), other.flatten(0, 1)).reshape(real.shape[:2])
        found = {
            "psnr": (peak_signal_to_noise_ratio(real, other).mean(1), PSNR_TOLERANCE),
            "ssim": (structural_similarity(real, other).mean(1), SSIM_TOLERANCE),
            "lpips": (lpips.mean(1), LPIPS_TOLERANCE),
            "lpips_per_frame": (lpips, LPIPS_TOLERANCE),
        }
        for metric, (values, tolerance) in found.items():
            expected = recorded[f"{name}/{metric}{suffix}"]
            np.testing.assert_allclose(values.numpy(), expected, rtol=0, atol=tolerance, err_msg=metric)


@pytest.mark.parametrize("path", METRICS, ids=name_of)
def test_video_features(path: Path) -> None:
    recorded = arrays(path)
    seeds = json.loads((path.parent / "config.json").read_text())["seeds"]
    network = action_features(seeds["i3d"])
    for name in sets_of(recorded):
        for side in ("real", "fake"):
            with torch.inference_mode():
                found = network(torch.from_numpy(recorded[f"{name}_{side}"]))
            expected = recorded[f"{name}/i3d_stub_{side}"]
            np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=FEATURE_TOLERANCE)


@pytest.mark.parametrize("path", METRICS, ids=name_of)
def test_frechet_distance(path: Path) -> None:
    recorded = arrays(path)
    assert len(recorded["fvd_names"])
    for name in recorded["fvd_names"]:
        found = frechet_distance(recorded[f"fvd/{name}/real"], recorded[f"fvd/{name}/fake"])
        assert found == pytest.approx(float(recorded[f"fvd/{name}/exact"]), rel=EXACT_FRECHET)
        assert found == pytest.approx(float(recorded[f"fvd/{name}/original_sqrtm"]), rel=SQRTM_FRECHET)
