"""Augmentation against recorded draws and pixels."""

import json
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.parity.discovery import Case
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.carl.augmentation import (
    AugmentationDraw,
    augment_exactly,
    change_colors,
    draw_augmentation,
)
from vidrep_pipelines.models.carl.config import AugmentationConfig, EvaluationCrop
from vidrep_pipelines.models.carl.video_source import cut_and_resize, fit_frames

_BLUR_TIMES = 4


class _Replay:
    """Answers a generator's calls with the recorded draws."""

    def __init__(self, calls: list[list[Any]]) -> None:
        self.calls = iter(calls)

    def random(self) -> float:
        kind, low, high, value = next(self.calls)
        assert kind == "uniform"
        return float((value - low) / (high - low))

    def integers(self, high: int) -> int:
        kind, low, highest, value = next(self.calls)
        assert (kind, low, highest) == ("randint", 0, high - 1)
        return int(value)

    def permutation(self, count: int) -> list[int]:
        kind, values = next(self.calls)
        assert kind == "permutation" and len(values) == count
        return list(values)


def _config(recorded: dict[str, Any]) -> AugmentationConfig:
    if recorded["pipeline"] == "basic":
        return AugmentationConfig.basic()
    return AugmentationConfig(blur_probability=recorded["blur_prob"], blur_times=_BLUR_TIMES)


def _draw(recorded: dict[str, Any], frames: NDArray[np.uint8]) -> AugmentationDraw:
    replay = _Replay(recorded["rng_calls"])
    rng = cast(np.random.Generator, replay)
    draw = draw_augmentation(frames.shape[1], frames.shape[2], _config(recorded), rng)
    assert next(replay.calls, None) is None
    return draw


def _batched(frames: NDArray[np.uint8], draw: AugmentationDraw, size: int) -> Tensor:
    pixels = cut_and_resize(frames, draw.crop, size, draw.flip)
    return change_colors(pixels[None], draw.colors.tensor()[None], _BLUR_TIMES)[0]


def check_augmentation(case: Case) -> None:
    with np.load(case.folder / "augment.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for recorded in json.loads((case.folder / "augment.json").read_text()):
        frames = arrays[f"{recorded['case']}_frames_u8"]
        expected = torch.from_numpy(arrays[f"{recorded['case']}_out"])
        size = recorded["size"]
        if not recorded["augment"]:
            crop: EvaluationCrop = "center_native" if recorded["pipeline"] == "ssl" else "resize"
            found = normalize(fit_frames(frames, size, crop))
            assert (found - expected).abs().max() < 0.03, recorded["case"]
            continue
        draw = _draw(recorded, frames)
        basic = recorded["pipeline"] == "basic"
        exact = augment_exactly(frames, draw, size, blur_times=_BLUR_TIMES, colors_first=basic)
        assert (exact - expected).abs().max() < 1e-4, recorded["case"]
        # Four operations and four blurs, each of which the published way cuts off to whole gray levels.
        assert (_batched(frames, draw, size) - expected).abs().mean() < 0.06, recorded["case"]


AUGMENTATION_CHECKS = (check_augmentation,)
