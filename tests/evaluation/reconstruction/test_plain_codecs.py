import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.evaluation.reconstruction.config import CodecName
from vidrep_pipelines.evaluation.reconstruction.plain_codecs import (
    clips_at_budgets,
    fewer_pixels,
    jpeg_frame,
    webp_frame,
)

CODECS: tuple[CodecName, ...] = ("jpeg", "webp", "area", "nearest")


def photo(seed: int = 0, side: int = 32) -> Pixels:
    """Blobs, as photographs have them: neighbors are alike."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))


CLIP = np.stack([photo(seed) for seed in range(2)])


def error(first: Pixels, second: Pixels) -> float:
    return float(np.square(first.astype(float) - second).mean())


@pytest.mark.parametrize("codec", CODECS)
def test_more_bits_are_never_worse_and_never_exceeded(codec: CodecName) -> None:
    budgets = np.array([0.8, 1.5, 3.0, 6.0, 24.0])
    coded = clips_at_budgets(codec, CLIP, budgets)
    assert [one.bits_per_pixel <= budget for one, budget in zip(coded, budgets, strict=True)] == [True] * 5
    quality = [one.psnr for one in coded]
    assert quality == sorted(quality) and quality[-1] > quality[0] + 3
    for one in coded:
        errors = [error(*pair) for pair in zip(CLIP, one.frames, strict=True)]
        decibels = -10 * np.log10(np.maximum(np.array(errors) / 255**2, 1e-10))
        assert one.psnr == pytest.approx(decibels.mean())


def test_what_no_setting_can_keep_to_is_said() -> None:
    (coded,) = clips_at_budgets("jpeg", CLIP, np.array([1e-3]))
    assert coded.bits_per_pixel == min(
        np.mean([jpeg_frame(frame, quality, 2)[0] for frame in CLIP]) / 32**2 for quality in (1, 2)
    )
    (coded,) = clips_at_budgets("area", CLIP, np.array([1e-9]))
    assert "1x1 pixels of 3 bits" in coded.setting and coded.bits_per_pixel == pytest.approx(9 / 32**2)


def test_only_the_coded_pixels_of_a_jpeg_count() -> None:
    frame = photo()
    bits, rebuilt = jpeg_frame(frame, 60)
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=60, subsampling=0)
    data = buffer.getvalue()
    scan = data.index(b"\xff\xda")  # 14 bytes of header: its length, three components, the spectrum
    assert bits == 8 * (len(data) - scan - 14 - 2)
    np.testing.assert_array_equal(rebuilt, np.asarray(Image.open(buffer)))
    assert bits / 8 < len(data) - 500  # the tables are most of so small a file


def test_webp_is_a_key_frame_without_its_container() -> None:
    bits, rebuilt = webp_frame(photo(), 50)
    assert 0 < bits < 8 * 32 * 32 and error(photo(), rebuilt) < 400


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 32), width=st.integers(1, 32), depth=st.integers(3, 8), averaged=st.booleans())
def test_fewer_pixels_cost_what_they_are(height: int, width: int, depth: int, averaged: bool) -> None:
    flat = np.full((32, 32, 3), 255, np.uint8)
    bits, rebuilt = fewer_pixels(flat, averaged=averaged, height=height, width=width, depth=depth)
    assert bits == 3 * height * width * depth
    np.testing.assert_array_equal(rebuilt, flat)


def test_picked_pixels_are_repeated_and_all_of_them_are_the_frame() -> None:
    frame = photo()
    _, whole = fewer_pixels(frame, averaged=False, height=32, width=32, depth=8)
    np.testing.assert_array_equal(whole, frame)
    _, halved = fewer_pixels(frame, averaged=False, height=16, width=16, depth=8)
    np.testing.assert_array_equal(halved, frame[1::2, 1::2].repeat(2, 0).repeat(2, 1))


def test_averages_are_ahead_of_picked_pixels() -> None:
    noisy = np.clip(CLIP + np.random.default_rng(0).normal(0, 25, CLIP.shape), 0, 255).astype(np.uint8)
    area, nearest = (clips_at_budgets(name, noisy, np.array([1.5]))[0].psnr for name in ("area", "nearest"))
    assert area > nearest + 1
