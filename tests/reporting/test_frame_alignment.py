from pathlib import Path

import numpy as np
import pytest
from PIL import ImageColor

from tests.helpers.videos import barcode_frames, read_barcode
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.decode import count_frames, read_frames
from vidrep_pipelines.reporting.figures import COLORS
from vidrep_pipelines.reporting.frame_alignment import (
    Shown,
    alignment_frames,
    phase_color,
    write_alignment_video,
)


def shown(frames: int, name: str, seed: int = 0) -> Shown:
    pictures = barcode_frames(frames, 64, 48, seed)
    return Shown(name, lambda rank: pictures[rank], np.arange(frames) * 3 // frames)


QUERY, KEY = shown(6, "query"), shown(12, "key", 1)
MATCH = np.arange(6) * 2


def halves(picture: np.ndarray, height: int) -> tuple[int, int]:
    """The barcodes of both videos."""
    left = (picture.shape[1] - 6) // 2
    band = slice(26, 26 + height)
    return read_barcode(picture[band, :left]), read_barcode(picture[band, left + 6 : 2 * left + 6])


def test_every_query_frame_is_shown_beside_its_match() -> None:
    pictures = [np.asarray(picture) for picture in alignment_frames(QUERY, KEY, MATCH, height=96)]
    assert [halves(picture, 96) for picture in pictures] == [(rank, 2 * rank) for rank in range(6)]
    assert len(list(alignment_frames(QUERY, KEY, MATCH, stride=4))) == 2


def test_timeline_has_the_colors_of_the_phases() -> None:
    picture = np.asarray(next(alignment_frames(QUERY, KEY, MATCH, height=96)))
    line = picture[26 + 96 + 6 + 6]
    found = {tuple(color) for color in line[:128].tolist()}
    assert {ImageColor.getrgb(COLORS[phase]) for phase in range(3)} <= found
    assert phase_color(-1) not in COLORS


def test_long_names_do_not_hide_the_numbers() -> None:
    named = Shown("an identifier that is much wider than the frame", QUERY.read, QUERY.phases)
    band = np.asarray(next(alignment_frames(named, KEY, MATCH, height=96)))[:26, :128]
    short = np.asarray(next(alignment_frames(QUERY, KEY, MATCH, height=96)))[:26, :128]
    assert (band != short).any()
    assert (band[:, -2:] == 255).all()


def test_film_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    assert write_alignment_video(path, QUERY, KEY, MATCH, height=96) == 6
    frames = read_frames(path, range(count_frames(path)))
    assert [halves(frame, 96) for frame in frames] == [(rank, 2 * rank) for rank in range(6)]


@pytest.mark.parametrize("match", [np.arange(5), np.full(6, 12), np.full(6, -1)])
def test_other_matches_are_refused(match: np.ndarray) -> None:
    with pytest.raises(InputError, match="do not assign 12 frames of key to 6 frames of query"):
        next(alignment_frames(QUERY, KEY, match))
