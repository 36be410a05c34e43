from pathlib import Path

import numpy as np
import pytest
import torch

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.decode import count_frames, read_frames
from vidrep_pipelines.data.video.film import write_film
from vidrep_pipelines.models.vqvae.pictures import comparison_film


def test_original_reconstruction_and_error_side_by_side() -> None:
    clip = torch.rand(4, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    film = comparison_film([(clip, clip), (clip, clip + 0.05)])
    assert film.dtype == np.uint8 and film.shape[0] == 4
    assert film.shape[1] % 2 == film.shape[2] % 2 == 0
    first, second, error = (film[:, :27, start : start + 33] for start in (0, 39, 78))
    np.testing.assert_array_equal(first, second)
    assert set(error.flatten().tolist()) == {128}  # equal: mid gray
    assert (film[:, 33:60, 78:111] > 140).all()  # the second clip became brighter


def test_film_is_a_video(tmp_path: Path) -> None:
    frames = np.zeros((5, 32, 48, 3), np.uint8)
    frames[:, :, :, 0] = np.arange(5)[:, None, None] * 50
    write_film(tmp_path / "film.mp4", frames, 6)
    assert count_frames(tmp_path / "film.mp4") == 5
    found = read_frames(tmp_path / "film.mp4", range(5)).astype(int)
    assert abs(found[..., 0].mean((1, 2)) - np.arange(5) * 50).max() < 6


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (2, 7, 8, 3), (8, 8, 3)])
def test_frames_that_no_film_holds(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="even sides"):
        write_film(tmp_path / "film.mp4", np.zeros(shape, np.uint8), 6)
