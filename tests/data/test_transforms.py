import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vidrep_pipelines.data.transforms import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Crop,
    FrameTransform,
    crop_resize,
    crop_resize_pil,
    denormalize,
    normalize,
    random_resized_crop,
    random_resized_crop_torch,
)


def smooth_frames(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Random frames with structure at several scales, as photographs have."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    frames = [
        np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))
        for frame in coarse
    ]
    noise = rng.integers(-30, 30, (count, height, width, 3))
    return torch.from_numpy(np.clip(np.stack(frames) + noise, 0, 255).astype(np.uint8))


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    scale=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted),
    seed=st.integers(0, 2**32 - 1),
)
def test_crops_lie_inside_the_image(height: int, width: int, scale: list[float], seed: int) -> None:
    bounds = (scale[0], scale[1])
    for crop in (
        random_resized_crop(height, width, np.random.default_rng(seed), bounds),
        random_resized_crop_torch(height, width, torch.Generator().manual_seed(seed), bounds),
    ):
        assert crop.top >= 0 and crop.left >= 0 and crop.height >= 1 and crop.width >= 1
        assert crop.top + crop.height <= height and crop.left + crop.width <= width


def test_crops_have_the_wanted_area_and_shape() -> None:
    rng = np.random.default_rng(0)
    crops = [random_resized_crop(480, 480, rng, (0.2, 0.4), (0.5, 2.0)) for _ in range(2000)]
    area = np.array([crop.height * crop.width / 480**2 for crop in crops])
    shape = np.log([crop.width / crop.height for crop in crops])
    assert 0.195 < area.min() < 0.21 and 0.39 < area.max() < 0.405
    assert abs(area.mean() - 0.3) < 0.005
    assert abs(shape.mean()) < 0.03 and -0.71 < shape.min() < -0.65 and 0.65 < shape.max() < 0.71


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (100, 1000, Crop(top=0, left=433, height=100, width=133)),
        (1000, 100, Crop(top=433, left=0, height=133, width=100)),
    ],
)
def test_images_too_long_for_any_draw_give_the_largest_centered_crop(
    height: int, width: int, expected: Crop
) -> None:
    assert random_resized_crop(height, width, np.random.default_rng(0), (1.0, 1.0)) == expected
    assert random_resized_crop_torch(height, width, torch.Generator(), (1.0, 1.0)) == expected


def test_whole_image_is_the_crop_when_its_shape_fits_but_no_draw_does() -> None:
    assert random_resized_crop(50, 60, np.random.default_rng(0), (1.5, 1.6)) == Crop(0, 0, 50, 60)


def test_torch_crops_follow_the_global_seed_when_no_generator_is_given() -> None:
    torch.manual_seed(11)
    from_global = [random_resized_crop_torch(256, 340) for _ in range(3)]
    generator = torch.Generator().manual_seed(11)
    assert from_global == [random_resized_crop_torch(256, 340, generator) for _ in range(3)]
    assert len(set(from_global)) == 3


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    "crop", [Crop(0, 0, 200, 300), Crop(20, 31, 160, 145), Crop(3, 5, 40, 30), Crop(100, 7, 1, 1)]
)
def test_fast_resize_is_within_a_gray_level_of_pillow(crop: Crop, flip: bool) -> None:
    frames = smooth_frames(2, 200, 300)
    fast, exact = (resize(frames, crop, (64, 48), flip) for resize in (crop_resize, crop_resize_pil))
    assert fast.dtype == exact.dtype == torch.uint8
    assert fast.shape == exact.shape == (2, 3, 64, 48)
    assert (fast.int() - exact.int()).abs().max() <= 1


@given(
    height=st.integers(2, 160),
    width=st.integers(2, 160),
    size=st.tuples(st.integers(1, 96), st.integers(1, 96)),
    flip=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_crop_is_close_to_pillow(
    height: int, width: int, size: tuple[int, int], flip: bool, seed: int
) -> None:
    frames = smooth_frames(2, height, width, seed)
    before = frames.clone()
    crop = random_resized_crop(height, width, np.random.default_rng(seed), (0.1, 1.0))
    fast, exact = (resize(frames, crop, size, flip) for resize in (crop_resize, crop_resize_pil))
    assert fast.shape == exact.shape == (2, 3, *size)
    difference = (fast.int() - exact.int()).abs()
    assert difference.max() <= 2
    assert (difference > 1).float().mean() < 0.01
    assert torch.equal(frames, before)


def test_pillow_resizes_the_width_first_whatever_its_version_prefers() -> None:
    """A tall and narrow crop, for which Pillow 13 would resize the height first."""
    frames = smooth_frames(1, 200, 40)
    narrow = Image.fromarray(frames[0].numpy()).resize((64, 200), Image.Resampling.BICUBIC)
    expected = np.asarray(narrow.resize((64, 64), Image.Resampling.BICUBIC))
    result = crop_resize_pil(frames, Crop(0, 0, 200, 40), (64, 64))
    assert np.array_equal(result[0].permute(1, 2, 0).numpy(), expected)
    assert (crop_resize(frames, Crop(0, 0, 200, 40), (64, 64)).int() - result.int()).abs().max() <= 2


def test_resizing_takes_the_fast_path_for_channels_last_images() -> None:
    for flip in (False, True):
        resized = crop_resize(smooth_frames(2, 100, 120), Crop(2, 3, 80, 90), (32, 32), flip)
        assert resized.is_contiguous(memory_format=torch.channels_last)
        assert normalize(resized).is_contiguous()


def test_flip_mirrors_left_and_right() -> None:
    frames = smooth_frames(1, 50, 60)
    plain, flipped = (crop_resize(frames, Crop(0, 0, 50, 60), (40, 40), flip) for flip in (False, True))
    assert torch.equal(plain.flip(-1), flipped)
    assert not torch.equal(plain, flipped)


def test_normalize_follows_the_definition_and_does_not_change_its_input() -> None:
    images = torch.randint(
        0, 256, (2, 3, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    before = images.clone()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    torch.testing.assert_close(normalize(images), (images / 255 - mean) / std, rtol=0, atol=1e-6)
    assert torch.equal(images, before)
    assert normalize(images, dtype=torch.bfloat16).dtype == torch.bfloat16


@given(
    lead=st.lists(st.integers(1, 3), max_size=3),
    channels_last=st.booleans(),
    mean=st.tuples(*[st.floats(0.1, 0.9)] * 3),
    std=st.tuples(*[st.floats(0.1, 1.0)] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_normalize_takes_any_batch_shape_and_layout(
    lead: list[int],
    channels_last: bool,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.integers(0, 256, (*lead, 5, 7, 3), dtype=np.uint8)).movedim(-1, -3)
    result = normalize(images if channels_last else images.contiguous(), mean, std)
    shift, scale = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (mean, std))
    torch.testing.assert_close(result.double(), (images.double() / 255 - shift) / scale, rtol=1e-6, atol=2e-6)
    assert result.is_contiguous()


@given(seed=st.integers(0, 1000))
def test_denormalize_inverts_normalize(seed: int) -> None:
    images = torch.randint(
        0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    normalized = normalize(images, (0.4, 0.5, 0.6), (0.1, 0.2, 0.3))
    before = normalized.clone()
    assert torch.equal(denormalize(normalized, (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)), images)
    assert torch.equal(normalized, before)


def test_denormalize_clips_what_is_no_color() -> None:
    assert denormalize(torch.full((3, 1, 1), 99.0)).tolist() == [[[255]]] * 3
    assert denormalize(torch.full((3, 1, 1), -99.0)).tolist() == [[[0]]] * 3


def test_transform_applies_one_crop_and_flip_to_all_frames() -> None:
    frame = smooth_frames(1, 80, 100)
    frames = frame.repeat(3, 1, 1, 1).numpy()
    result = FrameTransform(size=32)(frames, np.random.default_rng(4))
    assert result.shape == (3, 3, 32, 32)
    assert torch.equal(result[0], result[1]) and torch.equal(result[0], result[2])


def test_transform_depends_only_on_its_generator() -> None:
    frames = smooth_frames(2, 80, 100).numpy()
    transform = FrameTransform(size=32)
    torch.manual_seed(0)
    first = transform(frames, np.random.default_rng(4))
    torch.manual_seed(1)
    assert torch.equal(first, transform(frames, np.random.default_rng(4)))
    assert not torch.equal(first, transform(frames, np.random.default_rng(5)))


def test_flip_probability_is_respected() -> None:
    frames = torch.zeros(1, 40, 40, 3, dtype=torch.uint8)
    frames[:, :, 20:] = 255
    rng = np.random.default_rng(0)

    def flipped(probability: float) -> int:
        transform = FrameTransform(size=8, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip_probability=probability)
        return sum(int(transform(frames.numpy(), rng)[0, 0, 0, 0] == 255) for _ in range(200))

    assert flipped(0.0) == 0
    assert flipped(1.0) == 200
    assert 70 < flipped(0.5) < 130


def test_exact_transform_uses_the_same_crop_with_pillow() -> None:
    frames = smooth_frames(2, 80, 100).numpy()
    fast, exact = (
        FrameTransform(size=32, exact=exact)(frames, np.random.default_rng(4)) for exact in (False, True)
    )
    assert (fast.int() - exact.int()).abs().max() <= 1


def crop_fixtures() -> list[Path]:
    folder = os.environ.get("VIDREP_PARITY_DIR")
    root = Path(folder) if folder else Path(__file__).parents[3] / "shared" / "parity"
    return sorted((root / "rsp").glob("crops_*"))


@pytest.mark.parametrize("folder", crop_fixtures(), ids=lambda folder: folder.name)
def test_published_crops_are_reproduced(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    case = np.load(folder / "io.npz")
    frames = torch.from_numpy(np.stack([case["frame_0"], case["frame_1"]]))
    size = tuple(config["size"])
    torch.manual_seed(config["torch_seed"])
    for (top, left, height, width, flip), expected in zip(
        case["params"].tolist(), case["crops"], strict=True
    ):
        crop = Crop(top, left, height, width)
        drawn = random_resized_crop_torch(
            frames.shape[1], frames.shape[2], scale=tuple(config["scale"]), ratio=tuple(config["ratio"])
        )
        assert drawn == crop
        wanted = torch.from_numpy(expected).permute(0, 3, 1, 2)
        assert torch.equal(crop_resize_pil(frames, crop, size, bool(flip)), wanted)
        assert (crop_resize(frames, crop, size, bool(flip)).int() - wanted.int()).abs().max() <= 2
    first = torch.from_numpy(case["crops"][0]).permute(0, 3, 1, 2)
    torch.testing.assert_close(
        normalize(first), torch.from_numpy(case["normalised_first"]), rtol=0, atol=1e-6
    )
