"""Variant D: window, soft labels, final label maps."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.label_maps import hard_labels
from vidrep_pipelines.evaluation.label_propagation.neighborhood import window
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate


def check(config: dict[str, Any], arrays: dict[str, Any], folder: Path) -> None:
    height, width = config["grid"]
    radius = config["size_mask_neighborhood"]
    np.testing.assert_array_equal(window(height, width, radius, "dino").numpy(), arrays["neighborhood"] > 0)
    features = torch.from_numpy(arrays["features"]).unflatten(1, (height, width)).permute(0, 3, 1, 2)
    settings = PropagationConfig(
        variant="dino",
        top_k=config["topk"],
        radius=radius,
        context_frames=config["n_last_frames"],
        temperature=config["temperature"],
    )
    soft = torch.stack(list(propagate(features, torch.from_numpy(arrays["first_seg"][0]), settings)))[1:]
    np.testing.assert_allclose(soft.numpy(), arrays["soft"], atol=1e-5, rtol=0)
    size = (height * config["patch_size"], width * config["patch_size"])
    original = tuple(config["output_size"])
    labels = np.stack([hard_labels(maps, size, (original[0], original[1]), "dino") for maps in soft])
    assert labels.shape == arrays["labels"].shape
    assert np.mean(labels != arrays["labels"]) <= 1e-4
