import numpy as np
import pytest
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


def plain(color: tuple[int, int, int], height: int = 20, width: int = 30) -> Pixels:
    return np.full((height, width, 3), color, dtype=np.uint8)


def area(picture: Image.Image, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """(left, top, width, height) of the box around a color; every pixel in it must have that color."""
    rows, columns = np.nonzero((np.asarray(picture) == color).all(axis=2))
    left, top = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) - left + 1, int(rows.max()) - top + 1
    assert len(rows) == width * height
    return left, top, width, height


def ink(picture: Image.Image) -> int:
    """How many pixels are neither paper nor one of the plain colors."""
    pixels = np.asarray(picture).reshape(-1, 3)
    known = [(pixels == color).all(axis=1) for color in ((255, 255, 255), RED, GREEN, BLUE)]
    return int((~np.any(known, axis=0)).sum())


def test_images_are_scaled_to_one_height_and_columns_align() -> None:
    rows = [ImageRow([plain(RED), plain(GREEN, 40, 20)]), ImageRow([plain(BLUE, 10, 10)])]
    picture = image_grid(rows, cell_height=60)
    red, green, blue = (area(picture, color) for color in (RED, GREEN, BLUE))
    assert red[2:] == (90, 60) and green[2:] == (30, 60) and blue[2:] == (60, 60)
    assert red[0] == blue[0] and red[1] == green[1]
    assert green[0] > red[0] + red[2] and blue[1] > red[1] + red[3]
    assert picture.width > green[0] + green[2] and picture.height > blue[1] + blue[3]


def test_texts_are_written_and_cover_no_image() -> None:
    rows = [
        ImageRow(
            [plain(RED), plain(GREEN)],
            "pouring\nclip 3, with a name so long that it needs several lines",
            ["1", "2"],
        )
    ]
    bare = image_grid([ImageRow([plain(RED), plain(GREEN)])])
    picture = image_grid(rows, ["source", "a title that is wrapped because it is very long"], "Heading")
    assert ink(bare) == 0 and ink(picture) > 1000
    assert area(picture, RED)[2:] == area(bare, RED)[2:]
    assert area(picture, GREEN)[2:] == area(bare, GREEN)[2:]


@pytest.mark.parametrize("part", ["label", "caption", "title", "heading"])
def test_every_kind_of_text_appears(part: str) -> None:
    def draw(text: str) -> Image.Image:
        label, captions = (text if part == "label" else ""), ([text] if part == "caption" else [])
        titles, heading = ([text] if part == "title" else []), (text if part == "heading" else "")
        return image_grid([ImageRow([plain(RED)], label, captions)], titles, heading)

    assert ink(draw("mmm")) > ink(draw("i")) > 0


def test_a_long_label_makes_its_row_taller() -> None:
    rows = [ImageRow([plain(RED)], "line\n" * 12), ImageRow([plain(BLUE)])]
    picture = image_grid(rows, cell_height=40)
    assert area(picture, BLUE)[1] - area(picture, RED)[1] > 12 * 13


def test_the_first_line_of_a_label_stands_out_also_where_it_is_wrapped() -> None:
    def soft(label: str) -> int:
        pixels = np.asarray(image_grid([ImageRow([plain(RED)], label)]))
        return int((pixels == (0x66, 0x70, 0x80)).all(axis=2).sum())

    assert soft("place the cloth " * 8) == 0 < soft("place\nthe cloth " * 8)


def test_a_heading_wider_than_the_images_is_not_cut() -> None:
    assert image_grid([ImageRow([plain(RED)])], heading="a long heading " * 5).width > 500


def test_rows_without_images_keep_their_label() -> None:
    picture = image_grid([ImageRow([], "not readable"), ImageRow([plain(RED)])])
    assert ink(picture) > 0 and area(picture, RED)[1] > 144


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((3, 4, 4), np.uint8)]
)
def test_other_arrays_are_refused(image: Pixels) -> None:
    with pytest.raises(ConfigurationError, match=r"\(H, W, 3\) uint8"):
        image_grid([ImageRow([image])])


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="without a single image"):
        image_grid([ImageRow([], "a")])
