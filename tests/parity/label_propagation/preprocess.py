"""Frames and first labels as the published code prepares them, variant D."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vidrep_pipelines.evaluation.label_propagation.config import FrameSize
from vidrep_pipelines.evaluation.label_propagation.preprocessing import (
    FrameNormalization,
    nearest_one_hot,
    network_size,
    prepare_frame,
)


def check(config: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], folder: Path) -> None:
    del folder
    sides = tuple(config["scale_size"])
    frame_size = FrameSize(rule="short_side" if len(sides) == 1 else "exact", sides=sides)
    size = network_size(*arrays["image"].shape[:2], frame_size, config["patch_size"])
    assert size == arrays["tensor"].shape[1:]
    tensor = prepare_frame(arrays["image"], size, FrameNormalization(), rounded=True)
    np.testing.assert_allclose(tensor, arrays["tensor"], rtol=0, atol=1e-5)
    first = arrays["first_seg"][0]
    # With two sides the published code turns the label's height and width around, so the recording says.
    np.testing.assert_array_equal(nearest_one_hot(arrays["label"], *first.shape[1:]), first)
    if len(sides) == 1:
        assert first.shape[1:] == tuple(side // config["patch_size"] for side in size)
