"""Frames and label maps as files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.images import (
    DAVIS_PALETTE,
    is_two_tone,
    labels_of,
    read_frame,
    read_header,
    read_labels,
    read_two_tone,
    write_labels,
)

# The first 22 colors as the spec of DAVIS lists them.
COLORS = [
    (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128),
    (128, 128, 128), (64, 0, 0), (191, 0, 0), (64, 128, 0), (191, 128, 0), (64, 0, 128), (191, 0, 128),
    (64, 128, 128), (191, 128, 128), (0, 64, 0), (128, 64, 0), (0, 191, 0), (128, 191, 0), (0, 64, 128),
    (128, 64, 128),
]  # fmt: skip


def test_palette() -> None:
    triples = [DAVIS_PALETTE[3 * index : 3 * index + 3] for index in range(256)]
    assert triples == COLORS + [(index, index, index) for index in range(22, 256)]


def test_label_maps_survive_the_file(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 256, (7, 11), dtype=np.uint8)
    write_labels(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)
    assert read_header(tmp_path / "a.png") == (11, 7, "P")
    with Image.open(tmp_path / "a.png") as image:
        assert tuple(image.getpalette() or ()) == DAVIS_PALETTE


def test_gray_maps_are_read_and_colors_refused(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(labels).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "gray.png"), labels)
    Image.fromarray(np.stack([labels] * 3, axis=-1)).save(tmp_path / "colors.png")
    with pytest.raises(InputError, match=r"colors\.png holds no label indices: its color mode is RGB"):
        read_labels(tmp_path / "colors.png")


def test_every_frame_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 4), 9, np.uint8)).save(tmp_path / "gray.png")
    frame = read_frame(tmp_path / "gray.png")
    assert (frame.shape, frame.dtype, int(frame.min())) == ((3, 4, 3), np.uint8, 9)


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_bad_files_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    for read in (read_frame, read_labels, read_header):
        with pytest.raises(InputError, match=r"a\.jpg is (missing|no readable image)"):
            read(path)


def test_cut_off_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"a\.png is no readable image"):
        read_frame(path)


@pytest.mark.parametrize("labels", [[[7, 0], [255, 7]], [[3]], np.zeros((0, 4))])
def test_labels_of_a_map(labels: list[list[int]]) -> None:
    array = np.array(labels, dtype=np.uint8)
    assert labels_of(array) == np.unique(array).tolist()


@pytest.mark.parametrize("mode", ["L", "1"])
def test_black_and_white_masks_hold_one_object(tmp_path: Path, mode: str) -> None:
    inside = np.zeros((7, 11), bool)
    inside[2:5, 3:] = True
    path = tmp_path / "a.png"
    Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)).convert(mode).save(path)
    assert is_two_tone(path)
    np.testing.assert_array_equal(read_two_tone(path), inside)


@pytest.mark.parametrize(
    ("labels", "mode"), [([0, 1], "L"), ([0, 0], "L"), ([0, 255], "P"), ([0, 128, 255], "L")]
)
def test_other_masks_are_not_black_and_white(tmp_path: Path, labels: list[int], mode: str) -> None:
    image = Image.fromarray(np.array([labels], dtype=np.uint8))
    if mode == "P":
        image.putpalette(DAVIS_PALETTE)
    image.save(tmp_path / "a.png")
    assert not is_two_tone(tmp_path / "a.png")


def test_black_and_white_masks_with_anything_else_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png holds colors of mode RGB, but .* black and white"):
        read_two_tone(tmp_path / "a.png")


def test_a_page_in_place_of_a_picture_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<!DOCTYPE html><html>Quota exceeded</html>")
    with pytest.raises(InputError, match=r"a\.jpg is no readable image: it is a web page"):
        read_frame(tmp_path / "a.jpg")
