import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.nn import functional

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.frame_store.config import AspectRule, FramesConfig, ResizeRule
from vidrep_pipelines.data.frame_store.resize_rules import Canvas, canvas_of, resized_mask, resized_picture

sizes = st.tuples(st.integers(5, 40), st.integers(5, 40))


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frames(
    height: int, width: int, resize: ResizeRule = "area", aspect: AspectRule = "squash"
) -> FramesConfig:
    return FramesConfig(height=height, width=width, resize=resize, aspect=aspect)


@settings(deadline=None, max_examples=25)
@given(sizes, sizes)
def test_the_usual_rule_is_that_of_former_versions(source: tuple[int, int], target: tuple[int, int]) -> None:
    pixels = picture(*source)
    np.testing.assert_array_equal(resized_picture(pixels, frames(*target)), resize_frame(pixels, *target))


@settings(deadline=None, max_examples=25)
@given(sizes, sizes)
def test_antialiased_is_torchs_rule_on_bytes(source: tuple[int, int], target: tuple[int, int]) -> None:
    pixels = picture(*source)
    values = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    own = resized_picture(pixels, frames(*target, "antialiased")).astype(int)
    floats = functional.interpolate(values.float(), target, mode="bilinear", antialias=True)
    expected = torch.round(floats)[0].permute(1, 2, 0).to(torch.uint8).numpy()
    np.testing.assert_array_equal(own, expected)
    native = (
        functional.interpolate(values, target, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
    )
    assert np.abs(own - native.astype(int)).max() <= 1


@settings(deadline=None, max_examples=25)
@given(sizes, sizes)
def test_letterbox_has_black_bars_up_to_three_quarters(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    pixels = picture(*source)
    height, width = source
    missing = max(0, int(0.75 * width) - height)
    bars = (missing - missing // 2, missing // 2)
    padded = np.pad(pixels, (bars, (0, 0), (0, 0)))
    unit = torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    unit = functional.interpolate(unit, target, mode="bilinear", align_corners=False, antialias=False)
    expected = ((unit[0].permute(1, 2, 0) + 1) / 2 * 255).round().to(torch.uint8).numpy()
    np.testing.assert_array_equal(resized_picture(pixels, frames(*target, "letterbox")), expected)


def test_letterbox_of_a_wide_picture_is_black_above_and_below() -> None:
    white = np.full((48, 128, 3), 255, np.uint8)  # bars up to a height of 96
    shown = resized_picture(white, frames(64, 64, "letterbox"))
    assert (shown[:16] == 0).all() and (shown[-16:] == 0).all() and (shown[17:-17] == 255).all()


@pytest.mark.parametrize(
    ("aspect", "canvas"),
    [
        ("squash", Canvas(0, 0, 48, 64)),
        ("crop", Canvas(0, 8, 48, 48)),
        ("pad", Canvas(-8, 0, 64, 64)),
    ],
)
def test_what_is_shown(aspect: AspectRule, canvas: Canvas) -> None:
    assert canvas_of(48, 64, frames(32, 32, aspect=aspect)) == canvas


@settings(deadline=None, max_examples=25)
@given(sizes, sizes, st.sampled_from(["area", "antialiased"]), st.sampled_from(["squash", "crop", "pad"]))
def test_every_rule_gives_the_stored_size(
    source: tuple[int, int], target: tuple[int, int], resize: ResizeRule, aspect: AspectRule
) -> None:
    config = frames(*target, resize, aspect)
    assert resized_picture(picture(*source), config).shape == (*target, 3)
    assert resized_mask(picture(*source)[..., 0], config).shape == target


@pytest.mark.parametrize("aspect", ["crop", "pad"])
def test_a_circle_stays_one_where_shapes_are_kept(aspect: AspectRule) -> None:
    rows, columns = np.mgrid[:60, :90]
    circle = ((rows - 30) ** 2 + (columns - 45) ** 2 < 20**2).astype(np.uint8)
    seen = resized_mask(circle, frames(48, 48, aspect=aspect))
    assert abs(int(seen.any(0).sum()) - int(seen.any(1).sum())) <= 1
    squashed = resized_mask(circle, frames(48, 48))
    assert int(squashed.any(1).sum()) > 1.3 * int(squashed.any(0).sum())


@pytest.mark.parametrize(
    ("resize", "aspect"), [("area", "crop"), ("antialiased", "pad"), ("letterbox", "squash")]
)
def test_masks_lie_where_their_pictures_do(resize: ResizeRule, aspect: AspectRule) -> None:
    mask = np.zeros((60, 100), np.uint8)
    mask[20:40, 30:60] = 3
    pixels = np.repeat(np.where(mask == 3, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    config = frames(32, 32, resize, aspect)
    seen, bright = resized_mask(mask, config), resized_picture(pixels, config)[..., 0]
    assert set(np.unique(seen)) == {0, 3}
    assert ((seen == 3) == (bright > 127)).mean() > 0.97


def test_the_usual_rule_is_not_in_digests() -> None:
    former = {"height": 64, "width": 64, "min_frames": 12, "allow_truncated": True}
    assert FramesConfig().in_digests == former
    assert digest_of(FramesConfig().in_digests) == digest_of(former)
    others = [frames(64, 64, "antialiased"), frames(64, 64, "letterbox"), frames(64, 64, "area", "pad")]
    assert len({digest_of(config.in_digests) for config in [FramesConfig(), *others]}) == 4
    assert [config.rule for config in others] == ["antialiased, squash", "letterbox, squash", "area, pad"]
    assert FramesConfig().rule is None


def test_letterbox_has_bars_of_its_own() -> None:
    with pytest.raises(
        ValidationError, match="letterbox has bars of its own, so that aspect pad has no meaning"
    ):
        frames(64, 64, "letterbox", "pad")
