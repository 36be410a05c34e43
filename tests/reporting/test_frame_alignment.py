import numpy as np
import pytest
from PIL import ImageColor

from tests.helpers.videos import barcode_frames, read_barcode
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS
from vidrep_pipelines.reporting.frame_alignment import (
    Shown,
    alignment_frames,
    alignment_strip,
    framed,
    phase_color,
    same_phase,
)

BAND, GAP = 40, 6


def shown(frames: int, name: str, seed: int = 0) -> Shown:
    pictures = barcode_frames(frames, 64, 48, seed)
    return Shown(name, lambda rank: pictures[rank], np.arange(frames) * 3 // frames)


QUERY, KEY = shown(6, "query"), shown(12, "key", 1)
MATCH = np.arange(6) * 2
MATCHES = {"by time": MATCH, "trained": MATCH + 1}


def barcodes(picture: np.ndarray, height: int, panels: int) -> tuple[int, ...]:
    """The barcodes of all videos."""
    width = (picture.shape[1] - GAP * (panels - 1)) // panels
    lefts = [number * (width + GAP) for number in range(panels)]
    return tuple(read_barcode(picture[BAND : BAND + height, left : left + width]) for left in lefts)


def near(picture: np.ndarray, color: str) -> int:
    """Pixels of about this color."""
    return int((np.abs(picture.astype(int) - ImageColor.getrgb(color)).max(axis=2) < 40).sum())


def test_every_query_frame_is_shown_beside_its_matches() -> None:
    pictures = [np.asarray(picture) for picture in alignment_frames(QUERY, KEY, MATCHES, height=96)]
    found = [barcodes(picture, 96, 3) for picture in pictures]
    assert found == [(rank, 2 * rank, 2 * rank + 1) for rank in range(6)]
    assert all(side % 2 == 0 for side in pictures[0].shape[:2])
    assert len(list(alignment_frames(QUERY, KEY, MATCHES, stride=4))) == 2


def test_timeline_has_the_colors_of_the_phases() -> None:
    picture = np.asarray(next(alignment_frames(QUERY, KEY, MATCHES, height=96)))
    line = picture[BAND + 96 + GAP + 6]
    found = {tuple(color) for color in line[:128].tolist()}
    assert {ImageColor.getrgb(COLORS[phase]) for phase in range(3)} <= found
    assert phase_color(-1) not in COLORS


def test_borders_say_whether_phases_agree() -> None:
    flat = Shown("flat", lambda rank: np.full((48, 64, 3), 90, np.uint8), np.array([0, 1, -1]))
    assert [same_phase(flat, 0, flat, other) for other in range(3)] == [True, False, None]
    gray = flat.read(0)
    assert near(framed(gray, True), COLORS[2]) > 100 > near(framed(gray, True), COLORS[1])
    assert near(framed(gray, False), COLORS[1]) > 100
    np.testing.assert_array_equal(framed(gray, None), gray)


def test_long_names_do_not_hide_the_numbers() -> None:
    named = Shown("an identifier that is much wider than the frame", QUERY.read, QUERY.phases)
    band = np.asarray(next(alignment_frames(named, KEY, MATCHES, height=96)))[:BAND, :128]
    short = np.asarray(next(alignment_frames(QUERY, KEY, MATCHES, height=96)))[:BAND, :128]
    assert (band != short).any()
    assert (band[:, -2:] == 255).all()


def test_strip_has_a_row_per_match() -> None:
    one = alignment_strip(QUERY, KEY, {"trained": MATCH}, columns=3)
    two = alignment_strip(QUERY, KEY, MATCHES, columns=3, heading="a pair")
    assert two.height > one.height + 100
    gray = Shown("gray", lambda rank: np.full((48, 64, 3), 90, np.uint8), QUERY.phases)
    right, wrong = (alignment_strip(gray, gray, {"trained": np.arange(6)[::way]}, 3) for way in (1, -1))
    assert near(np.asarray(right), COLORS[1]) == 0 < near(np.asarray(wrong), COLORS[1])
    assert alignment_strip(QUERY, KEY, MATCHES, columns=50).width < 2000  # no moment twice


@pytest.mark.parametrize("match", [np.arange(5), np.full(6, 12), np.full(6, -1)])
def test_other_matches_are_refused(match: np.ndarray) -> None:
    for draw in (
        lambda: next(alignment_frames(QUERY, KEY, {"t": match})),
        lambda: alignment_strip(QUERY, KEY, {"t": match}),
    ):
        with pytest.raises(InputError, match=r"t: .* do not assign 12 frames of key to 6 frames of query"):
            draw()
