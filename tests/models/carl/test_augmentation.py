"""Draws, the batched form against the exact one, and fitting."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.reference.carl_published import published_augmentation
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.transforms import Crop, denormalize, normalize
from vidrep_pipelines.models.carl.augmentation import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
    AugmentationDraw,
    ColorChange,
    augment_exactly,
    blur_weights,
    change_colors,
    draw_augmentation,
    shift_hue,
)
from vidrep_pipelines.models.carl.config import AugmentationConfig
from vidrep_pipelines.models.carl.video_source import cut_and_resize, fit_frames

SIZE = 24
WHOLE = Crop(0, 0, 40, 52)


def pictures(seed: int = 0, frames: int = 3) -> NDArray[np.uint8]:
    """Smooth colors, as cameras see them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:1:40j, 0:1:52j]
    waves = rng.uniform(1, 6, (frames, 3, 2))
    shades = np.sin(waves[..., 0, None, None] * x + waves[..., 1, None, None] * y * 3 + rng.uniform(0, 6))
    return np.ascontiguousarray((127.5 + 120 * shades).astype(np.uint8).transpose(0, 2, 3, 1))


def draw(seed: int, config: AugmentationConfig) -> AugmentationDraw:
    return draw_augmentation(40, 52, config, np.random.default_rng(seed))


@given(st.integers(0, 2**32))
def test_draws_lie_in_their_ranges(seed: int) -> None:
    config = AugmentationConfig()
    found = draw(seed, config)
    crop, colors = found.crop, found.colors
    assert 0 <= crop.top <= 40 - crop.height
    assert 0 <= crop.left <= 52 - crop.width
    assert 0.75 < crop.height * crop.width / (40 * 52) <= 1
    if colors.order:
        assert sorted(colors.order) == [BRIGHTNESS, CONTRAST, SATURATION, HUE]
        assert all(0.2 <= factor <= 1.8 for factor in colors.amounts[:3])
        assert abs(colors.amounts[3]) <= 0.2
        assert colors.blur_radius == 0 or 0.1 <= colors.blur_radius <= 2
    else:
        assert (colors.amounts, colors.blur_radius) == ((1, 1, 1, 0), 0)


def test_choices_are_as_frequent_as_configured() -> None:
    draws = [draw(seed, AugmentationConfig()) for seed in range(2000)]
    shares = {
        0.5: [found.flip for found in draws],
        0.8: [bool(found.colors.order) for found in draws],
        0.2: [found.colors.gray for found in draws],
        0.8 * 0.5: [found.colors.blur_radius > 0 for found in draws],
    }
    for expected, found in shares.items():
        assert np.mean(found) == pytest.approx(expected, abs=0.04)


def test_basic_training_changes_brightness_and_contrast_only() -> None:
    found = draw(3, AugmentationConfig.basic())
    assert found.crop == WHOLE and found.colors.order == (BRIGHTNESS, CONTRAST)
    assert found.colors.amounts[2:] == (1.0, 0.0) and not found.colors.gray
    nothing = draw(3, AugmentationConfig.none())
    assert nothing == AugmentationDraw(WHOLE, flip=False, colors=ColorChange())


@given(st.integers(0, 2**32))
def test_color_changes_survive_as_tensors(seed: int) -> None:
    colors = draw(seed, AugmentationConfig()).colors
    assert ColorChange.from_tensor(colors.tensor()) == colors


@pytest.mark.parametrize("blur_times", [1, 4])
@pytest.mark.parametrize("seed", range(12))
def test_the_batched_form_is_near_the_exact_one(seed: int, blur_times: int) -> None:
    frames, found = pictures(seed), draw(seed, AugmentationConfig(blur_times=blur_times))
    exact = augment_exactly(frames, found, SIZE, blur_times=blur_times, colors_first=False)
    pixels = cut_and_resize(frames, found.crop, SIZE, found.flip)
    batched = change_colors(pixels[None], found.colors.tensor()[None], blur_times)[0]
    assert batched.shape == exact.shape == (3, 3, SIZE, SIZE)
    assert (batched - exact).abs().mean() < 0.05


@pytest.mark.parametrize("seed", range(12))
def test_the_exact_form_is_the_published_way(seed: int) -> None:
    frames, found = pictures(seed), draw(seed, AugmentationConfig(blur_times=4))
    exact = augment_exactly(frames, found, SIZE, blur_times=4, colors_first=False)
    video = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(exact, published_augmentation(video, found, SIZE))


def test_views_of_a_batch_are_changed_each_in_its_own_way() -> None:
    frames = torch.from_numpy(pictures()).permute(0, 3, 1, 2)
    changes = [ColorChange(), ColorChange((BRIGHTNESS,), (0.5, 1.0, 1.0, 0.0)), ColorChange(gray=True)]
    colors = torch.stack([change.tensor() for change in changes])
    plain, dark, gray = change_colors(frames.expand(3, *frames.shape), colors)
    torch.testing.assert_close(plain, normalize(frames))
    torch.testing.assert_close(denormalize(dark).float(), (frames / 2).float(), atol=0.51, rtol=0)
    levels = denormalize(gray).int()
    assert (levels[:, 0] - levels[:, 1]).abs().max() <= 1 and (levels[:, 0] - levels[:, 2]).abs().max() <= 1


def test_hue_turns_around_the_circle() -> None:
    images = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    third = shift_hue(images.clone(), 1 / 3)
    torch.testing.assert_close(third, images.roll(1, dims=1))
    torch.testing.assert_close(shift_hue(shift_hue(images.clone(), 0.3), -0.3), images)
    gray = torch.full((1, 3, 2, 2), 0.4)
    torch.testing.assert_close(shift_hue(gray.clone(), 0.2), gray)


@given(st.floats(0.05, 8))
def test_blur_has_the_gaussians_mean_and_variance(radius: float) -> None:
    weights = np.array(blur_weights(radius))
    offsets = np.arange(len(weights)) - len(weights) // 2
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    assert (weights * offsets).sum() == pytest.approx(0, abs=1e-9)
    assert math.sqrt((weights * offsets**2).sum()) == pytest.approx(radius, rel=1e-6)


@pytest.mark.parametrize(
    ("crop", "corners"),
    [
        ("short_side_center", Crop(0, 6, 40, 40)),
        ("resize", WHOLE),
        ("center_native", Crop(8, 14, 24, 24)),
    ],
)
def test_frames_are_fitted(crop: Any, corners: Crop) -> None:
    frames = pictures()
    assert torch.equal(fit_frames(frames, SIZE, crop), cut_and_resize(frames, corners, SIZE))


def test_native_crops_are_pixels_and_odd_margins_are_rounded_up() -> None:
    frames = pictures()[:, :39]
    fitted = fit_frames(frames, SIZE, "center_native")
    assert (fitted.permute(0, 2, 3, 1).numpy() == frames[:, 8:32, 14:38]).all()
    with pytest.raises(InputError, match="at least 64 pixels, these are 52x39"):
        fit_frames(frames, 64, "center_native")


def test_resizing_is_bilinear_and_mirrors() -> None:
    frames, crop = pictures(), Crop(3, 5, 30, 40)
    found = cut_and_resize(frames, crop, SIZE, flip=True)
    cut = torch.from_numpy(frames[:, 3:33, 5:45]).permute(0, 3, 1, 2).float()
    expected = torch.nn.functional.interpolate(cut, (SIZE, SIZE), mode="bilinear").flip(-1)
    assert found.dtype == torch.uint8
    assert (found.float() - expected).abs().max() <= 1


def test_senseless_ranges_are_refused() -> None:
    for fields in ({"blur_times": 5}, {"hue": 0.7}, {"flip_probability": 2}):
        with pytest.raises(ValidationError):
            AugmentationConfig(**fields)
