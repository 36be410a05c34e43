import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.reporting.occupancy_futures import ShownFuture, futures_film, futures_grid

STEPS, JUMPS, SAMPLES, FRAMES = 4, 2, 3, 2
CELL, GAP = 144, 6


def plain(*levels: int, size: int = 8) -> NDArray[np.uint8]:
    """Gray pictures, one of each level."""
    return np.stack([np.full((size, size, 3), level, np.uint8) for level in levels])


def make_future() -> ShownFuture:
    """Real frames have the level of their time, samples that of 100 * chain + 10 * jump + frame."""
    samples = [
        [plain(*(70 * chain + 10 * jump + frame for frame in range(FRAMES)), size=6) for jump in range(JUMPS)]
        for chain in range(SAMPLES)
    ]
    return ShownFuture(
        name="push_0007",
        step=12,
        truth=plain(*range(200, 200 + STEPS * JUMPS + 1)),
        context=plain(190, size=6)[0],
        samples=np.array(samples),
        captions=[["", "64% alike"]] * SAMPLES,
        mean_truth=plain(240)[0],
        mean_sample=plain(230, size=6)[0],
    )


def shown(film: NDArray[np.uint8], time: int, column: int) -> int:
    """Level in the middle of a cell of the last row."""
    return int(film[time, film.shape[1] - GAP - CELL // 2, column * (CELL + GAP) + CELL // 2, 0])


def test_film_keeps_time() -> None:
    film = futures_film([make_future()], STEPS)
    assert film.shape[0] == STEPS * JUMPS + 1 and film.shape[1] % 2 == film.shape[2] % 2 == 0
    assert [shown(film, time, 4) for time in range(9)] == list(range(200, 209))  # what happened
    assert [shown(film, time, 0) for time in (0, 5)] == [200, 200]  # now
    # The two frames of a sampled state end where it is on the average: at steps 4 and 8.
    second = [shown(film, time, 2) for time in range(9)]
    assert second == [190, 190, 190, 70, 71, 71, 71, 80, 81]


def test_a_stack_longer_than_a_jump_shows_its_newest_frames() -> None:
    future = make_future()
    film = futures_film([future], 1)
    assert [shown(film, time, 1) for time in range(3)] == [190, 1, 11]


def test_grid_shows_every_picture() -> None:
    grid = np.asarray(futures_grid([make_future(), make_future()], STEPS, "decoded samples"))
    levels = set(np.unique(grid[..., 0]))
    assert {200, 204, 208, 240, 190, 230, 1, 11, 71, 81, 141, 151} <= levels
    alone = np.asarray(futures_grid([make_future()], STEPS, "decoded samples"))
    assert grid.shape[0] > 1.8 * alone.shape[0] and grid.shape[1] == alone.shape[1]
