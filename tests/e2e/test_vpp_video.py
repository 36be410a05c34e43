"""The pipelines of the video model: what they write, what a second run does, and what bad input leads to."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.project import load, merged, run_pipeline
from tests.helpers.vpp_video import TINY_VPP_VIDEO
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.training.sinks import read_rows

REPORTS = "08_reporting/vpp_video"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vpp_video")
    run_pipeline("pretrain_vpp_video", folder, TINY_VPP_VIDEO)
    return folder


def test_pictures_log_and_measurements(data: Path) -> None:
    for name in ("first_batch.png", "loss_curves.png", "predictions.png", "predictions/step-00000003.png"):
        with Image.open(data / REPORTS / name) as image:
            low, high = image.convert("L").getextrema()
        assert high - low > 100, name
    rows = read_rows(data / "06_models/vpp_video/run/train_log.jsonl")
    assert [row["step"] for row in rows if "probe/loss" in row] == [2, 3]
    assert rows[-1]["probe/motion_ratio"] > 0
    assert sum(key.startswith("probe/loss_sigma_") for key in rows[-1]) == 5


def test_the_checkpoint_says_what_it_was_trained_on_and_predicts(data: Path) -> None:
    checkpoint = load("vpp_video_checkpoint", data)
    assert checkpoint.config["mixture"]["datasets"] == "tabletop"
    assert checkpoint.config["initialize_from"] is None and checkpoint.meta["step"] == 3
    codec = load("video_codec", data)
    predictor = VideoPredictor.load(checkpoint.directory, codec.directory)
    store = load("robot_frames", data)
    view = store.select("validation").ids[0]
    latents = load("video_latents", data).array("latents", view, slice(0, 1))
    sampling = VideoSamplingConfig(steps=1, guidance=1.0)
    text = store.episode(view).segments[0].text
    import torch

    videos = predictor.predict_latents(torch.from_numpy(latents).float(), [text], [3], sampling)
    assert videos.shape == (1, 4, 24, 4, 4)


def test_a_second_run_does_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("pretrain_vpp_video", data, TINY_VPP_VIDEO)
    for line in ("episodes: ", "shards: ", "latents: ", "training is "):
        assert f"{line}up to date" in caplog.text


def test_impossible_parameters_are_named(data: Path) -> None:
    unet = {"latent_channels": 4}
    for changes, message in (
        ({"mixture": {"datasets": "bridge"}}, r"'bridge', which is not in .*'tabletop'"),
        ({"mixture": {"datasets": {"tabletop": 0.5}}}, "must sum to 1"),
        ({"model": {"unet": unet}}, "makes latents of 24 channels"),
        ({"model": {"text": {"vocabulary": ["push"]}}}, "no word"),
    ):
        with pytest.raises(Exception, match=message):
            run_pipeline("pretrain_vpp_video", data, merged(TINY_VPP_VIDEO, {"vpp_video": changes}))


def test_export_can_be_started_from(data: Path) -> None:
    run_pipeline("export_vpp_video", data, TINY_VPP_VIDEO)
    folder = load("vpp_video.exported", data)["folder"]
    train = {"steps": 1, "optimizer": {"warmup_steps": 0}}
    start = {"vpp_video": {"initialize_from": folder, "train": train}}
    run_pipeline("pretrain_vpp_video", data, merged(TINY_VPP_VIDEO, start))
    assert load("vpp_video_checkpoint", data).config["initialize_from"] == folder
