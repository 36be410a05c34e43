"""The plan of the video model's training."""

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.models.vpp.video.spoken import MODEL, make_video_task
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.models.vpp.video.config import UnetConfig
from vidrep_pipelines.models.vpp.video.latents import latents_digest
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.pretrain.vpp_video_nodes import VideoParameters, plan_vpp_video
from vidrep_pipelines.training.config import LaunchConfig, TrainSpec
from vidrep_pipelines.training.task import load_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> VideoTask:
    return make_video_task(tmp_path_factory.mktemp("video"))


def plan(task: VideoTask, folder: Path, **changes: Any) -> TrainSpec:
    assert task.latents is not None
    parameters: dict[str, Any] = {
        "clips": task.clips,
        "mixture": task.mixture,
        "model": MODEL,
        "objective": {},
        "adaptation": {},
        "sampling": {},
        "validation": {"every_steps": 7},
        "train": {"steps": 3, "batch_size": 2, "seed": 9},
    }
    store = FrameStore(task.frames)
    spec = plan_vpp_video(
        store,
        FrameArrayStore(task.latents, store),
        Checkpoint.of(task.codec),
        VideoLatentsConfig(),
        VideoParameters.model_validate({**parameters, **changes}),
        LaunchConfig(device="cpu", device_batch_size=64),
        FoldersConfig(models=folder / "models", reporting=folder / "reporting"),
    )
    return TrainSpec.model_validate(spec)


def test_spec_describes_task_and_measurement(task: VideoTask, tmp_path: Path) -> None:
    spec = plan(task, tmp_path, clips_per_device=2)
    planned: Any = load_task(spec)
    assert isinstance(planned, VideoTask) and (planned.seed, planned.latents) == (9, task.latents)
    assert planned.latents_digest == latents_digest(Checkpoint.of(task.codec).digest, VideoLatentsConfig())
    assert spec.launch.device_batch_size == 2 and spec.run_directory == tmp_path / "models/vpp_video/run"
    assert spec.probe is not None and spec.probe.every_steps == 7
    assert spec.probe.config["task"]["split"] == "validation"
    config = planned.checkpoint_config()
    assert config["codec"] == Checkpoint.of(task.codec).digest
    assert config["mixture"]["datasets"] == {"tabletop": 0.75, "xhand": 0.25}


def test_a_preset_takes_the_place_of_what_is_given(task: VideoTask, tmp_path: Path) -> None:
    text = {"kind": "clip", "folder": str(tmp_path / "clip")}
    spec = plan(task, tmp_path, preset="svd", model={"text": text}, validation={"every_steps": None})
    planned = VideoTask.model_validate(spec.task_config)
    assert planned.clips.frames == 14 and planned.model.unet == UnetConfig()
    assert planned.sampling.guidance == 3.0 and planned.model.text.folder == tmp_path / "clip"
    assert planned.mixture == task.mixture


def test_latents_of_another_codec_are_refused(task: VideoTask, tmp_path: Path) -> None:
    planned: Any = load_task(plan(task, tmp_path))
    with pytest.raises(InputError, match="was made by the model"):  # the fixture's carry another digest
        planned.build_dataset()


def test_from_pixels_frames_count_in_place_of_latents(task: VideoTask, tmp_path: Path) -> None:
    latents, pixels = plan(task, tmp_path), plan(task, tmp_path, from_pixels=True)
    assert pixels.task_config["latents"] is None and pixels.data_digest != latents.data_digest
    assert "frames" in load_task(pixels).build_dataset()[0, 0]  # type: ignore[index]


def test_what_is_not_held_out_is_not_measured(
    task: VideoTask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert plan(task, tmp_path, validation={"every_steps": None}).probe is None
    assert task.model_copy(update={"mixture": task.mixture}).on_split("test") is None
    with caplog.at_level(logging.WARNING):
        plan(task, tmp_path, validation={"every_steps": 5})
    assert "nothing is measured" not in caplog.text
