from pathlib import Path

import numpy as np
import pytest

from tests.helpers.videos import read_barcode, read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.lerobot import film
from vidrep_pipelines.data.sources.lerobot.entries import FilmPart
from vidrep_pipelines.data.sources.lerobot.film import film_pictures
from vidrep_pipelines.data.video.decode import read_frames

RATE = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 90 frames with keyframes far apart and pictures that refer to later ones."""
    path = tmp_path_factory.mktemp("films") / "a.mp4"
    write_video(path, 90, 64, 64, rate=RATE, options={"g": "20", "bf": "2"})
    write_video(path.with_name("b.mp4"), 20, 64, 64, rate=RATE, codec="mpeg4")
    return path.parent


def numbers(folder: Path, part: FilmPart, frames: int) -> list[int]:
    return [read_barcode(picture) for picture in film_pictures(folder, part, frames, RATE)]


@pytest.mark.parametrize(("first", "count"), [(0, 90), (0, 3), (1, 1), (33, 50), (89, 1), (45, 33)])
def test_pictures_are_those_of_sequential_decoding(folder: Path, first: int, count: int) -> None:
    part = FilmPart("a.mp4", first / RATE, (first + count) / RATE)
    pictures = np.stack([picture.copy() for picture in film_pictures(folder, part, count, RATE)])
    assert read_barcodes(pictures) == list(range(first, first + count))
    expected = read_frames(folder / "a.mp4", range(first, first + count), reader="pyav")
    np.testing.assert_array_equal(pictures, expected)


def test_rounded_times_lead_to_the_nearest_picture(folder: Path) -> None:
    assert numbers(folder, FilmPart("a.mp4", 4.03, 4.48), 5) == [40, 41, 42, 43, 44]
    assert numbers(folder, FilmPart("a.mp4", 3.97, 4.52), 5) == [40, 41, 42, 43, 44]


def test_packets_before_the_episode_are_not_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decoded from the beginning")

    monkeypatch.setattr(film, "HealthyFrames", refuse)
    assert numbers(folder, FilmPart("a.mp4", 5.0, 5.3), 3) == [50, 51, 52]


def test_codecs_without_an_index_are_decoded_from_the_beginning(folder: Path) -> None:
    assert numbers(folder, FilmPart("b.mp4", 0.7, 1.1), 4) == [7, 8, 9, 10]
    assert numbers(folder, FilmPart("b.mp4"), 20) == list(range(20))
    with pytest.raises(DamagedViewError, match="2 of 4 pictures can be used: there are no more"):
        numbers(folder, FilmPart("b.mp4", 1.8, 2.2), 4)


@pytest.mark.parametrize(
    ("part", "frames", "message"),
    [
        (FilmPart("c.mp4"), 90, r"c\.mp4 is missing.*Remedy"),
        (FilmPart("a.mp4"), 91, r"has 90 pictures, the episode has 91 rows\. Remedy"),
        (FilmPart("a.mp4"), 89, "has 90 pictures, the episode has 89 rows"),
        (FilmPart("a.mp4", 1.0, 1.4), 5, r"from 1\.000 to 1\.400 s, which is 4\.0 pictures at 10 a second"),
        (FilmPart("a.mp4", 8.8, 9.1), 3, r"has 2 pictures from 8\.800 s on, the episode has 3 rows"),
        (FilmPart("a.mp4", 9.5, 9.7), 2, r"has no picture at 9\.500 s"),
    ],
)
def test_lengths_that_disagree_are_said_before_a_picture_is_taken(
    folder: Path, part: FilmPart, frames: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        film_pictures(folder, part, frames, RATE)


def test_damage_ends_the_pictures(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 40, 64, 64, rate=RATE, options={"g": "5"}, faststart=True)
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) * 6 // 10
    data[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(data)
    for part in (FilmPart("a.mp4"), FilmPart("a.mp4", 0.5, 4.0)):
        frames = 40 if part.start is None else 35
        taken = 0
        with pytest.raises(DamagedViewError):
            for _ in film_pictures(tmp_path, part, frames, RATE):
                taken += 1
        assert taken < 35


def test_a_truncated_video_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 40, 64, 64, rate=RATE, faststart=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="the header promises 40 frames"):
        film_pictures(tmp_path, FilmPart("a.mp4"), 40, RATE)
