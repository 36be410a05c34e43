import struct
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.videos import barcode_frames
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.frame_store.config import FilmConfig
from vidrep_pipelines.data.frame_store.film import StoredFilm, encoded_film, film_pixel_sums
from vidrep_pipelines.data.frame_store.shard import pixel_sums
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_reader import PacketReader

FILM = FilmConfig()


def opened(record: Pixels) -> StoredFilm:
    return StoredFilm.opened(lambda first, count: record.data[first : first + count], len(record))


def pictures(record: Pixels, height: int, width: int) -> Pixels:
    film = opened(record)
    ranks = range(film.index.frames)
    found = dict(PacketReader().pictures(film.packets, ranks, film.index, Path("film")))
    return np.stack([found[rank][:height, :width] for rank in ranks])


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 1, 1), (1, 64, 96), (12, 63, 97), (20, 64, 95)])
def test_frames_of_any_size_come_back_nearly_as_they_were(frames: int, height: int, width: int) -> None:
    truth = barcode_frames(frames, width, height)
    read = pictures(encoded_film(truth, FILM), height, width)
    assert read.shape == truth.shape
    assert psnr(read, truth) > 29  # colors at half the resolution, of a small and colorful texture


def test_equal_frames_give_equal_bytes() -> None:
    frames = barcode_frames(12)
    first, second = (encoded_film(frames, FILM) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_keyframes_come_at_the_distance_that_is_asked_for() -> None:
    frames = barcode_frames(12)
    for interval in (1, 5, 6):
        index = opened(encoded_film(frames, FilmConfig(keyframe_interval=interval))).index
        assert np.flatnonzero(index.keyframes[np.argsort(index.times)]).tolist() == [*range(0, 12, interval)]


def test_better_quality_is_nearer_and_larger() -> None:
    frames = barcode_frames(10)
    coarse, fine = (encoded_film(frames, FilmConfig(quality=quality)) for quality in (30, 10))
    assert len(coarse) < len(fine)
    assert psnr(pictures(coarse, 64, 96), frames) < psnr(pictures(fine, 64, 96), frames)


def test_sums_are_those_of_what_is_read() -> None:
    frames = barcode_frames(7, 33, 21)
    record = encoded_film(frames, FilmConfig(quality=40))
    sums = film_pixel_sums(record, (21, 33))
    np.testing.assert_array_equal(sums, pixel_sums(np.ascontiguousarray(pictures(record, 21, 33))))
    assert (sums != pixel_sums(frames)).any()


@pytest.mark.parametrize(
    ("place", "message"),
    [("length", "promises more bytes"), ("index", "packet index is not what"), ("packet", "packet 2 is not")],
)
def test_one_bit_of_damage_is_found(place: str, message: str) -> None:
    record = encoded_film(barcode_frames(6), FILM).copy()
    film = opened(record)
    second = film.start + int(film.index.offsets[2])
    record[{"length": 3, "index": 40, "packet": second + 5}[place]] ^= 1
    with pytest.raises((ValueError, UnreadableVideoError), match=message):
        pictures(record, 64, 96)


def test_a_record_that_ends_early_is_an_error() -> None:
    record = encoded_film(barcode_frames(2), FILM)
    for size in (0, 5, 40):
        with pytest.raises((ValueError, struct.error), match=r"unpack requires|promises more"):
            opened(record[:size])
