"""PSNR, SSIM and pixel ranges."""

import math

import pytest
import torch
from benchmarks.reference.reconstruction_metrics_published import published_ssim
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import (
    peak_signal_to_noise_ratio,
    structural_similarity,
    to_range,
)


def pair(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    real = torch.rand(*shape, generator=generator)
    return real, real + 0.1 * torch.randn(*shape, generator=generator)


def test_psnr_is_that_of_each_frame() -> None:
    real, other = pair(2, 3, 3, 5, 7)
    found = peak_signal_to_noise_ratio(real, other)
    for index in ((0, 0), (1, 2)):
        mse = float(((real[index] - other[index]) ** 2).mean())
        assert float(found[index]) == pytest.approx(10 * math.log10(1 / mse), abs=1e-4)
    assert torch.isinf(peak_signal_to_noise_ratio(real, real)).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(11, 30), st.integers(11, 30), st.integers(1, 3), st.integers(0, 9))
def test_ssim_is_the_published_one(H: int, W: int, C: int, seed: int) -> None:
    real, other = (x.double() for x in pair(2, C, H, W, seed=seed))
    torch.testing.assert_close(structural_similarity(real, other), published_ssim(real, other))


@pytest.mark.parametrize(("H", "W"), [(34, 58), (35, 83), (110, 100)])
def test_ssim_of_several_blocks_of_windows_and_portions_of_frames(H: int, W: int) -> None:
    real, other = (x.double() for x in pair(2, 2, 3, H, W))
    expected = published_ssim(real.flatten(0, 1), other.flatten(0, 1)).view(2, 2)
    torch.testing.assert_close(structural_similarity(real, other), expected)


def test_ssim_of_equal_pictures_is_one_and_of_small_ones_an_error() -> None:
    real, _ = pair(2, 4, 3, 16, 12)
    torch.testing.assert_close(structural_similarity(real, real), torch.ones(2, 4))
    with pytest.raises(InputError, match="at least 11x11 pixels, these are 12x10"):
        structural_similarity(real[..., :10, :], real[..., :10, :])


def test_pixel_ranges() -> None:
    video = torch.tensor([-0.5, 0.1, 1.5])
    torch.testing.assert_close(to_range(video, "as_published"), video)
    torch.testing.assert_close(to_range(video, "clamped"), torch.tensor([0.0, 0.1, 1.0]))
    torch.testing.assert_close(to_range(video, "rounded"), torch.tensor([0.0, 26 / 255, 1.0]))
