"""Units of pixels."""

from dataclasses import dataclass

import pytest
import torch

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.shared.units import (
    channels_last,
    clamped_psnr,
    to_bytes,
    to_standardized,
    to_unit_range,
)


@dataclass(frozen=True)
class Units:
    mean: Triple = (0.2, 0.4, 0.6)
    std: Triple = (0.5, 1.0, 2.0)


def make_frames() -> torch.Tensor:
    return torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)


def test_standardized_pictures_go_back_to_bytes_exactly() -> None:
    frames, units = make_frames(), Units()
    images = normalize(frames, units.mean, units.std)
    torch.testing.assert_close(to_unit_range(images, units), frames / 255)
    assert torch.equal(to_bytes(to_unit_range(images, units)), frames)
    torch.testing.assert_close(to_standardized(frames / 255, units), images)


def test_what_lies_outside_is_clamped_and_the_rest_is_rounded() -> None:
    assert to_bytes(torch.tensor([-1.0, 0.0, 0.5, 0.499, 1.0, 7.0])).tolist() == [0, 0, 128, 127, 255, 255]


def test_channels_come_last() -> None:
    frames = make_frames()
    pixels = channels_last(frames)
    assert pixels.shape == (2, 4, 5, 3)
    assert pixels[1, 2, 3].tolist() == frames[1, :, 2, 3].tolist()


@pytest.mark.parametrize(("difference", "decibels"), [(0.1, 20.0), (0.01, 40.0), (0.0, 100.0)])
def test_psnr_is_of_clamped_pixels(difference: float, decibels: float) -> None:
    images = torch.full((2, 3, 4, 4), 0.5, dtype=torch.float64)
    assert float(clamped_psnr(images, images + difference)) == pytest.approx(decibels)
    assert float(clamped_psnr(images * 2, images * 2 + difference)) == pytest.approx(100.0)
