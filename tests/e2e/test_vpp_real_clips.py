"""Published clips of three robots go the whole way like any others: store, latents, training, predictions."""

import json
import logging
import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.helpers.project import load, merged, run_pipeline
from tests.helpers.robot_clips import published_instances
from tests.helpers.vpp_video import TINY_VPP_VIDEO
from tests.models.vpp.video.codecs import write_vae
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.models.vpp.video.codec import load_codec, to_pictures
from vidrep_pipelines.models.vpp.video.config import words_of

pytestmark = pytest.mark.slow

SIZE = 64
ROBOTS = ("bridge", "rt1", "xhand")
PIPELINES = ("predict_video", "eval_video_prediction")
REPORTS = "08_reporting/video_prediction"
VIEWS = {
    "bridge/train/10_0": 24,
    "bridge/val/14_0": 37,
    "rt1/train/10_0": 54,
    "rt1/val/6_0": 29,
    "xhand/train/100_0": 70,
    "xhand/train/100_1": 70,
    "xhand/val/150_0": 93,
    "xhand/val/150_1": 93,
}
"""Views and their frames."""


class RealRun(NamedTuple):
    """A data folder, the copied clips, and the parameters that led from these to that."""

    data: Path
    clips: Path
    parameters: dict[str, Any]


def copy_published(root: Path) -> Path:
    """A copy in which the first clip of each data set, ``val`` in the samples as all are, is to train on."""
    samples = published_instances()
    for path in (path for path in samples.rglob("*") if path.is_file()):
        target = root / path.relative_to(samples)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)  # without its mode: samples may be read-only
    for name in ROBOTS:
        first = sorted((root / name / "annotation/val").glob("*.json"))[0]
        trained = root / name / "annotation/train"
        trained.mkdir()
        first.rename(trained / first.name)
    return root


def annotations_in(clips: Path) -> dict[str, dict[str, Any]]:
    """What the files say, by ``<data set>/<split>/<id>``."""
    files = clips.glob("*/annotation/*/*.json")
    return {
        f"{path.parents[2].name}/{path.parent.name}/{path.stem}": json.loads(path.read_text())
        for path in files
    }


def parameters_for(clips: Path, autoencoder: Path) -> dict[str, Any]:
    texts = [text for content in annotations_in(clips).values() for text in content["texts"]]
    vocabulary = sorted({word for text in texts for word in words_of(text)})
    unet = {"channels": [32, 32], "attention": [False, True], "heads": [2, 2], "latent_channels": 4}
    own = {
        "robot_episodes": {
            "instances": {name: {"folder": str(clips / name)} for name in ROBOTS},
            "frames": {"height": SIZE, "width": SIZE},
        },
        "video_latents": {
            "codec": {"kind": "vae", "folder": str(autoencoder)},
            "extraction": {"published": str(clips), "picture_frames": 4},
        },
        "vpp_video": {
            "mixture": {"datasets": "+".join(ROBOTS), "prob": [0.4, 0.3, 0.3]},
            "model": {"unet": unet, "text": {"vocabulary": vocabulary}, "condition_scale": 0.18215},
            "train": {"steps": 2, "batch_size": 3},
        },
        "video_prediction": {
            "sampling": {"steps": 2, "guidance": 2.0},
            "prediction": {"limit": 1},
            "evaluation": {"split": "validation", "noise_levels": 2, "metrics": {"resamples": 20}},
        },
    }
    return merged(TINY_VPP_VIDEO, own)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RealRun:
    folder = tmp_path_factory.mktemp("real_clips")
    clips = copy_published(folder / "clips")
    parameters = parameters_for(clips, write_vae(folder / "svd"))
    run_pipeline(PIPELINES, folder / "data", parameters)
    return RealRun(folder / "data", clips, parameters)


def first_picture(path: Path) -> Pixels:
    """(SIZE, SIZE, 3): each pixel the mean of the area of the original that it covers."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    for axis in (0, 1):
        picture = picture.repeat(SIZE // math.gcd(picture.shape[axis], SIZE), axis)
    height, width = (length // SIZE for length in picture.shape[:2])
    means = picture.reshape(SIZE, height, SIZE, width, 3).mean(axis=(1, 3))
    return np.rint(means).astype(np.uint8)


def test_all_views_are_stored_with_the_first_pictures_of_their_files(real: RealRun) -> None:
    store, said = load("robot_frames", real.data), annotations_in(real.clips)
    assert {view: store.length(view) for view in store.ids} == VIEWS
    for view, trajectory, camera in store.table[["id", "trajectory", "camera"]].itertuples(index=False):
        content = said[trajectory]
        film = real.clips / trajectory.split("/")[0] / content["videos"][camera]["video_path"]
        stored = store.frames(view, slice(0, 1))[0].astype(int)
        assert np.abs(stored - first_picture(film)).max() <= 1, view
        assert [segment.text for segment in store.episode(view).segments] == content["texts"]
    splits = store.table.set_index("trajectory")["split"].to_dict()
    assert {name: {"train": "train", "val": "validation"}[name.split("/")[1]] for name in said} == splits


def test_every_frame_has_latents_published_ones_where_there_are_any(real: RealRun) -> None:
    latents = load("video_latents", real.data)
    for view, frames in VIEWS.items():
        values = latents.array("latents", view).astype(np.float32)
        assert values.shape == (frames, 4, SIZE // 2, SIZE // 2), view
        assert np.isfinite(values).all() and 0 < values.std() < np.inf, view
    path = real.clips / "bridge/latent_videos_svd/val/14/0.pt"
    published = torch.load(path, weights_only=True).numpy()
    np.testing.assert_array_equal(latents.array("latents", "bridge/val/14_0"), published.astype(np.float16))
    codec = load_codec(load("video_codec", real.data).directory, torch.device("cpu"))
    first = latents.store.frames("rt1/val/6_0", slice(0, 1))
    with torch.inference_mode():
        encoded = codec.encode(to_pictures(torch.from_numpy(first))).numpy()
    np.testing.assert_allclose(
        latents.array("latents", "rt1/val/6_0", slice(0, 1)), encoded, rtol=1e-2, atol=1e-3
    )


def test_a_film_is_predicted_of_a_held_out_clip_of_each_data_set(real: RealRun) -> None:
    videos, said = load("predicted_videos", real.data), annotations_in(real.clips)
    assert [name.split("/")[0] for name in videos.ids] == list(ROBOTS)
    for name in videos.ids:
        assert videos.frames(name, range(4)).std() > 10, name
    rows = pd.read_parquet(real.data / REPORTS / "predictions.parquet").set_index("data_set")
    assert rows["error"].isna().all()
    told = {name.split("/")[0]: one["texts"][0] for name, one in said.items() if "/val/" in name}
    assert rows["text"].to_dict() == told


def test_predictions_are_measured_by_data_set_and_nothing_is_tested_on_tables(real: RealRun) -> None:
    for name in ("summary", "horizons", "differences", "losses"):
        table = pd.read_parquet(real.data / REPORTS / f"{name}.parquet")
        assert set(table["robot"]) == {"all", *ROBOTS}, name
    values = pd.read_parquet(real.data / REPORTS / "values.parquet")
    assert values.groupby("robot")["id"].unique().map(list).to_dict() == {
        "bridge": ["bridge/val/14_0"],
        "rt1": ["rt1/val/6_0"],
        "xhand": ["xhand/val/150_0"],
    }
    assert pd.read_parquet(real.data / REPORTS / "judged.parquet").empty
    for name in ("horizons", "losses", "counterfactuals", "counterfactual_sheet", "predictions"):
        with Image.open(real.data / REPORTS / f"{name}.png") as picture:
            assert picture.width > 100, name


def test_a_second_run_does_nothing(real: RealRun, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline(PIPELINES, real.data, real.parameters)
    for done in ("episodes:", "shards:", "latents:", "training is", "predictions:", "video prediction:"):
        assert f"{done} up to date" in caplog.text
