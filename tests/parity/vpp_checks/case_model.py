"""The video model and the recorded arrays of a case, and how close numbers must be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.parity.discovery import at_precision
from tests.parity.precision import tolerance
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.vpp.video.config import TextConfig, UnetConfig, VideoModelConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion

WEIGHTS = "diffusion_pytorch_model.safetensors"


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


def network_share(folder: Path) -> float:
    """What may lie between two computations of the case's UNet, as a share of the largest number.

    A third level of 4x4 latents has one position, and 32 channels in 32 groups: there, group norm is the bias
    plus the rounding of ``x - x`` times 1000 (one over the root of its epsilon), which is another number with
    every order of multiplying and adding. The recording has that of one processor. Variants of this norm
    alone, in single precision, move the UNet's output by 1e-4 to 3e-4, and features that come out before the
    last norm by 5e-4 of the largest; in double precision the rounding is gone and the recording's remains.
    """
    config = case_config(folder)
    single = config["lat"] >> (len(config["ch"]) - 1) == 1 and config["ch"][-1] == 32
    return 1e-3 if single else tolerance(1e-5)


def near(found: Tensor, expected: Tensor, name: str, share: float | None = None) -> None:
    """No number is further away than a share of the largest one, or of 1; None: what the README permits."""
    assert found.shape == expected.shape, f"{name}: {tuple(found.shape)}, recorded {tuple(expected.shape)}"
    permitted = (tolerance(1e-5) if share is None else share) * max(1.0, float(expected.abs().max()))
    difference = float((found.double() - expected.double()).abs().max())
    assert difference <= permitted, f"{name} differs by {difference:.2e}, permitted are {permitted:.2e}"
