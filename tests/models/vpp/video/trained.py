"""The tiny video model as a training run leaves it in the catalog, with random weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.models.vpp.video.spoken import make_video_task
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.training.config import TrainConfig


def publish_video_model(folder: Path) -> tuple[VideoTask, Checkpoint, dict[str, Any]]:
    """A task on a small store, a checkpoint of it, and what of its specification is read later."""
    task = make_video_task(folder)
    torch.manual_seed(0)
    place = folder / "checkpoint"
    place.mkdir()
    save_file(_listening(task.build_model().state_dict()), place / "model.safetensors")
    (place / "config.json").write_text(json.dumps(task.checkpoint_config()))
    (place / "meta.json").write_text(json.dumps({"digest": "0123", "step": 3}))
    train = TrainConfig(steps=3, batch_size=2)
    spec = {"task_config": task.model_dump(mode="json"), "train": train.model_dump(mode="json")}
    return task, Checkpoint.of(place), spec


def _listening(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Words matter visibly, as they hardly do at random weights."""
    return {name: value * 30 if ".attn2.to_v." in name else value for name, value in state.items()}
