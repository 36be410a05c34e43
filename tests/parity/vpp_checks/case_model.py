"""The video model and the recorded arrays of a case, and how close numbers must be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.parity.discovery import at_precision
from tests.parity.vpp_checks.rounding import permitted
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.vpp.video.config import TextConfig, UnetConfig, VideoModelConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion

WEIGHTS = "diffusion_pytorch_model.safetensors"
VALUE_TOLERANCE = 1e-5  # as the fixtures' README states it


def case_config(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return content


def case_arrays(folder: Path, part: str) -> dict[str, Tensor]:
    with np.load(folder / f"{part}.npz", allow_pickle=False) as file:
        numbers = {name: file[name] for name in file.files if file[name].dtype.kind in "biuf"}
    return {name: at_precision(torch.from_numpy(np.asarray(value))) for name, value in numbers.items()}


def case_model(folder: Path) -> VideoDiffusion:
    config = case_config(folder)
    unet = UnetConfig(
        channels=config["ch"],
        attention=[bool(here) for here in config["cross"]],
        layers_per_block=1,
        heads=config["heads"],
        cross_attention_dimension=2 * config["txt"],
        time_embedding_dimension=config["ate"],
        sample_size=3 * config["lat"],
    )
    text = TextConfig(
        tokens=config["tok_len"],
        position_encoding=config["pos"],
        width=config["txt"],
        folder=folder / "clip_text",
    )
    model = VideoDiffusion(VideoModelConfig(unet=unet, text=text))
    load_strictly(model.unet, load_file(folder / "svd/unet" / WEIGHTS), str(folder))
    return model.eval()


def near(found: Tensor, expected: Tensor, name: str, lost: float = 0.0) -> None:
    """No number is further away than the README permits of the largest one, or of 1.

    Args:
        found: What is computed here.
        expected: What was recorded.
        name: What to call it.
        lost: What single precision itself loses of it, see ``rounding.py``.
    """
    assert found.shape == expected.shape, f"{name}: {tuple(found.shape)}, recorded {tuple(expected.shape)}"
    allowed = permitted(VALUE_TOLERANCE * max(1.0, float(expected.abs().max())), lost)
    difference = float((found.double() - expected.double()).abs().max())
    assert difference <= allowed, f"{name} differs by {difference:.2e}, permitted are {allowed:.2e}"
