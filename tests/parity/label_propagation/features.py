"""Patch features of the published ViT on a grid that its position table was not made for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from vidrep_pipelines.evaluation.encoders.config import OriginalEncoderConfig
from vidrep_pipelines.evaluation.encoders.original import load_original_encoder


def check(config: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], folder: Path) -> None:
    weights = _find(folder, config["weights"])
    encoder = load_original_encoder("recorded", OriginalEncoderConfig(path=weights, heads=_heads(weights)))
    grid = (config["H"] // config["patch_size"], config["W"] // config["patch_size"])
    assert encoder.stride == config["patch_size"]
    features = encoder.patch_features(torch.from_numpy(arrays["frame"]).unsqueeze(0))
    table = torch.from_numpy(arrays["pos_embed"])
    torch.testing.assert_close(encoder.positions(grid), table, rtol=0, atol=1e-6)
    expected = torch.from_numpy(arrays["features"])
    torch.testing.assert_close(features[0].flatten(1).T, expected, rtol=0, atol=2e-5)


def _find(folder: Path, weights: str) -> Path:
    """The path is relative to a folder somewhere above the case."""
    return next(above / weights for above in folder.resolve().parents if (above / weights).is_file())


def _heads(weights: Path) -> int:
    """No tensor shows the number of heads; the case that the weights belong to says it."""
    recorded: int = json.loads((weights.parent / "config.json").read_text())["cfg"]["num_heads"]
    return recorded
