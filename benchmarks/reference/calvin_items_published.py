"""An item of CALVIN as the published loader reads it: all steps of a window, of which one is looked at."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.resize_rules import resized_picture

_KEYS = ("rgb_static", "rgb_gripper", "rel_actions", "robot_obs")


def published_calvin_item(
    folder: Path, start: int, window: int, frames: FramesConfig
) -> tuple[Tensor, Tensor]:
    """Pictures (2, 3, H, W) uint8 of the first step, and the actions (A, 7) float32 of all."""
    steps = []
    for step in range(start, start + window):
        with np.load(folder / f"episode_{step:07d}.npz", allow_pickle=False) as archive:
            steps.append({key: archive[key] for key in _KEYS})
    stacked = {key: np.stack([one[key] for one in steps]) for key in _KEYS}
    pictures = [resized_picture(stacked[camera][0], frames) for camera in ("rgb_static", "rgb_gripper")]
    actions = torch.from_numpy(stacked["rel_actions"]).float()
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), actions
