"""Shift, resize and both normalizations."""

from pathlib import Path

import torch

from tests.parity.voc_checks.recorded import close, read_arrays, read_config
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, PixelUnits
from vidrep_pipelines.models.voc.tokenizers.dataset import prepare_frames, resize_frames, shift_frames

SHIFT_TOLERANCE = 1e-2  # the original interpolates at whole positions
NORMALIZATIONS: dict[str, PixelUnits] = {"norm_published": "published", "norm_standard": "imagenet"}


def check(folder: Path) -> None:
    config, arrays = read_config(folder, "preprocess"), read_arrays(folder, "preprocess")
    frames, offsets = arrays["frames_u8"], arrays["shift_xy"]
    assert frames.shape[1] == 3 * config["frame_stack"] and frames.shape[-1] == config["source_size"]
    shifted = shift_frames(frames, offsets, config["pad"])
    resized = resize_frames(shifted, config["target_size"], "nearest")
    for name, found in (("after_shift", shifted), ("after_resize", resized)):
        torch.testing.assert_close(found.float(), arrays[name], rtol=0, atol=SHIFT_TOLERANCE)
    stacks = frames.unflatten(1, (config["frame_stack"], 3))
    for name, normalization in NORMALIZATIONS.items():
        pixels = PixelConfig(size=config["target_size"], shift=config["pad"], normalization=normalization)
        found = prepare_frames(stacks, pixels, offsets).flatten(0, 1)
        close(found, arrays[name], name, 1e-4)
