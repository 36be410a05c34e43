"""What recorded RSP crops and learning rates must show."""

import numpy as np
import torch
from torch import Tensor

from tests.parity.discovery import Case
from vidrep_pipelines.data.transforms import (
    Crop,
    crop_resize,
    crop_resize_pil,
    normalize,
    random_resized_crop_torch,
)
from vidrep_pipelines.training.schedule import learning_rate, scaled_learning_rate

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
GRAY_LEVELS = 2
NORMALIZED_TOLERANCE = 1e-6
RATE_TOLERANCE = 1e-9


def _frames(arrays: dict[str, Tensor]) -> Tensor:
    return torch.stack([arrays["frame_0"], arrays["frame_1"]])


def _size(case: Case) -> tuple[int, int]:
    height, width = case.config["size"]
    return int(height), int(width)


def check_exact_crops(case: Case) -> None:
    arrays = case.tensors()
    for row, expected in zip(arrays["params"].tolist(), arrays["crops"], strict=True):
        crops = crop_resize_pil(_frames(arrays), Crop(*row[:4]), _size(case), flip=bool(row[4]))
        torch.testing.assert_close(crops, expected.permute(0, 3, 1, 2), rtol=0, atol=0)


def check_tensor_crops(case: Case) -> None:
    arrays = case.tensors()
    for row, expected in zip(arrays["params"].tolist(), arrays["crops"], strict=True):
        crops = crop_resize(_frames(arrays), Crop(*row[:4]), _size(case), flip=bool(row[4]))
        assert crops.dtype == torch.uint8
        assert int((crops.int() - expected.permute(0, 3, 1, 2).int()).abs().max()) <= GRAY_LEVELS


def check_normalized(case: Case) -> None:
    arrays = case.tensors()
    pixels = arrays["crops"][0].permute(0, 3, 1, 2)
    ours = normalize(pixels, IMAGENET_MEAN, IMAGENET_DEVIATION)
    torch.testing.assert_close(ours, arrays["normalised_first"], rtol=0, atol=NORMALIZED_TOLERANCE)


def check_drawn_crops(case: Case) -> None:
    arrays, config = case.tensors(), case.config
    height, width = arrays["frame_0"].shape[:2]
    scale, ratio = tuple(config["scale"]), tuple(config["ratio"])
    for generator in (None, torch.Generator().manual_seed(config["torch_seed"])):
        torch.manual_seed(config["torch_seed"])
        for row in arrays["params"].tolist():
            crop = random_resized_crop_torch(height, width, generator, scale, ratio)
            assert (crop.top, crop.left, crop.height, crop.width) == tuple(row[:4])


def check_learning_rates(case: Case) -> None:
    arrays = case.arrays()
    numbers = [name.removeprefix("spec_") for name in arrays if name.startswith("spec_")]
    assert numbers
    for number in numbers:
        spec = dict(zip(case.config["spec_columns"], arrays[f"spec_{number}"].tolist(), strict=True))
        batch = int(spec["batch_per_device"] * spec["accum_iter"] * spec["world_size"])
        base = scaled_learning_rate(spec["base_lr"], batch)
        repeats = int(spec["repeated_sampling"])
        rates = [
            learning_rate(
                epoch,
                base=base,
                minimum=spec["min_lr"],
                epochs=int(spec["epochs"]) // repeats,
                warmup_epochs=int(spec["warmup_epochs"]) // repeats,
            )
            for epoch in arrays[f"epoch_{number}"].tolist()
        ]
        np.testing.assert_allclose(rates, arrays[f"lr_{number}"], rtol=RATE_TOLERANCE)


CROP_CHECKS = (check_exact_crops, check_tensor_crops, check_normalized, check_drawn_crops)
RATE_CHECKS = (check_learning_rates,)
