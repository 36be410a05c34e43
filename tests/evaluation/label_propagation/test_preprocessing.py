"""Sizes by the published rules, resizing by OpenCV's arithmetic, first labels of both variants."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize
from vidrep_pipelines.evaluation.label_propagation.preprocessing import (
    IMAGENET_STD,
    FrameNormalization,
    bilinear_one_hot,
    nearest_one_hot,
    network_size,
    prepare_frame,
    resize_bytes,
    resize_floats,
    resize_labels,
)

SIZES = st.integers(2, 40)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("stored", "frame_size", "expected"),
    [
        ((480, 854), FrameSize(), (480, 832)),
        ((480, 880), FrameSize(), (480, 832)),  # what the resized release was made for is lost
        ((480, 480), FrameSize(), (480, 448)),
        ((854, 480), FrameSize(), (832, 480)),
        ((720, 1280), FrameSize(rule="long_side", sides=(880,)), (448, 880)),
        ((1280, 720), FrameSize(rule="long_side", sides=(880,)), (880, 448)),
        ((480, 854), FrameSize(rule="short_side_up", sides=(960,)), (960, 1712)),
        ((854, 480), FrameSize(rule="short_side_up", sides=(950,)), (1712, 960)),
        ((240, 320), FrameSize(rule="exact", sides=(320, 320)), (320, 320)),
        ((480, 854), FrameSize(rule="native", sides=()), (480, 848)),
    ],
)
def test_published_sizes(stored: tuple[int, int], frame_size: FrameSize, expected: tuple[int, int]) -> None:
    assert network_size(*stored, frame_size, 16) == expected


@pytest.mark.parametrize(
    ("stored", "frame_size", "complaint"),
    [
        ((480, 854), FrameSize(rule="exact", sides=(480, 854)), "854x480, which the encoder's stride 16"),
        ((480, 854), FrameSize(rule="exact", sides=(480,)), "does not go with"),
        ((480, 854), FrameSize(rule="native", sides=(480,)), "does not go with"),
        ((480, 480), FrameSize(sides=(32,)), "0x32"),
        ((8, 90), FrameSize(rule="native", sides=()), "80x0"),
    ],
)
def test_sizes_that_make_no_sense(stored: tuple[int, int], frame_size: FrameSize, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        network_size(*stored, frame_size, 16)


def opencv_pixel(image: np.ndarray, row: int, column: int, height: int, width: int) -> np.ndarray:
    """One pixel by the rule: 11-bit weights, four bits dropped after rows, sixteen after columns."""

    def neighbors(place: int, old: int, new: int) -> list[tuple[int, int]]:
        exact = np.float32((place + 0.5) * (old / new) - 0.5)
        first = int(np.floor(exact))
        share = np.float32(exact - np.float32(first))
        weights = [int(np.rint(np.float32(weight) * np.float32(2048))) for weight in (1 - share, share)]
        return [(min(max(first + step, 0), old - 1), weights[step]) for step in (0, 1)]

    total = np.zeros(3, np.int64)
    for y, weight_y in neighbors(row, image.shape[0], height):
        across = sum(
            image[y, x].astype(np.int64) * weight_x
            for x, weight_x in neighbors(column, image.shape[1], width)
        )
        total += ((across >> 4) * weight_y) >> 16
    return (total + 2) >> 2


@settings(max_examples=30, deadline=None)
@given(old=st.tuples(SIZES, SIZES), new=st.tuples(SIZES, SIZES), seed=st.integers(0, 99))
def test_bytes_are_resized_by_the_integer_rule(old: tuple[int, int], new: tuple[int, int], seed: int) -> None:
    image = noise(*old, seed)
    resized = resize_bytes(image, *new)
    assert resized.shape == (*new, 3)
    if old == new:
        np.testing.assert_array_equal(resized, image)
        return
    rng = np.random.default_rng(seed)
    places = [(0, 0), (new[0] - 1, new[1] - 1), (int(rng.integers(new[0])), int(rng.integers(new[1])))]
    for row, column in places:
        np.testing.assert_array_equal(resized[row, column], opencv_pixel(image, row, column, *new))


@settings(max_examples=30, deadline=None)
@given(old=st.tuples(SIZES, SIZES), new=st.tuples(SIZES, SIZES))
def test_floats_are_resized_as_torch_does_without_smoothing(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    image = noise(*old).astype(np.float32) / 255
    tensor = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0)
    expected = torch.nn.functional.interpolate(tensor, size=new, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(
        resize_floats(image, *new), expected[0].permute(1, 2, 0).numpy(), rtol=0, atol=2e-5
    )


def test_both_ways_of_resizing_are_within_two_gray_levels() -> None:
    image = noise(37, 53)
    exact = resize_floats(image.astype(np.float32), 24, 64)
    assert np.abs(resize_bytes(image, 24, 64) - exact).max() < 2


@pytest.mark.parametrize("rounded", [True, False])
def test_frame_is_normalized_after_resizing(rounded: bool) -> None:
    gray = np.full((10, 20, 3), 51, np.uint8)
    normalization = FrameNormalization(mean=(0.1, 0.2, 0.3), std=IMAGENET_STD)
    frame = prepare_frame(gray, (16, 32), normalization, rounded=rounded)
    assert (frame.shape, frame.dtype) == ((3, 16, 32), np.float32)
    assert frame.flags.c_contiguous
    for channel, (mean, std) in enumerate(zip(normalization.mean, IMAGENET_STD, strict=True)):
        np.testing.assert_allclose(frame[channel], (0.2 - mean) / std, atol=1e-6)


def test_default_normalization_is_the_published_one() -> None:
    assert FrameNormalization().std == (0.228, 0.224, 0.225)


def test_nearest_labels_lose_what_falls_between_the_cells() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:32] = 1
    labels[41, 41] = 2  # not a cell's center
    maps = nearest_one_hot(labels, 4, 4)
    assert maps.shape == (2, 4, 4)  # the highest label is gone, and its channel with it
    assert (maps.sum(axis=0) == 1).all()
    assert (maps[1, :2] == 1).all()
    np.testing.assert_array_equal(resize_labels(labels, 64, 64), labels)


def test_bilinear_labels_are_soft_and_know_their_classes() -> None:
    labels = np.zeros((6, 6), np.uint8)
    labels[:, 3:] = 7
    maps, classes = bilinear_one_hot(labels, 4, 4)
    assert classes.tolist() == [0, 7]
    assert maps.shape == (2, 4, 4)
    np.testing.assert_allclose(maps.sum(axis=0), 1, atol=1e-6)
    assert (maps[1, :, 0] == 0).all()
    assert (maps[1, :, 3] == 1).all()
