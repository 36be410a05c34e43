import numpy as np

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord
from vidrep_pipelines.evaluation.rollouts.films import attempts_film
from vidrep_pipelines.evaluation.rollouts.recording import RecordedAttempt

GREEN, RED = (42, 157, 111), (209, 73, 91)


def attempt(steps: int, *, success: bool, imagined: dict[int, int] | None = None) -> RecordedAttempt:
    """Cameras show the step as a gray; imagined frames are 100, 101, ... after each plan."""
    record = EpisodeRecord("a/0", "lift", "lift the cup", 0, success, steps, 1, 0.0, "line", "s")
    grays = np.arange(steps + 1, dtype=np.uint8)[:, None, None, None]
    pictures = {"top": np.tile(grays, (1, 20, 30, 3)), "wrist": np.tile(grays, (1, 10, 10, 3))}
    videos = {
        plan: np.tile(100 + np.arange(count, dtype=np.uint8)[:, None, None, None], (1, 20, 20, 3))
        for plan, count in (imagined or {}).items()
    }
    return RecordedAttempt(record, pictures, np.zeros((steps + 1, 1)), np.zeros((steps, 1)), videos)


def panels(film: Pixels) -> list[list[int]]:
    """The grays of the panels in the last line of every frame."""
    found = []
    for line in film[:, -3, :, 0]:
        values = [int(value) for value in line if value < 200]
        found.append(list(dict.fromkeys(values)))
    return found


def test_every_step_is_a_frame_and_the_end_is_held() -> None:
    film = attempts_film([attempt(4, success=True), attempt(2, success=False)], panel=40, hold=3)
    assert film.shape[0] == (5 + 3) + (3 + 3) and film.dtype == np.uint8
    assert film.shape[1] % 2 == film.shape[2] % 2 == 0
    assert panels(film) == [[step] for step in (0, 1, 2, 3, 4, 4, 4, 4, 0, 1, 2, 2, 2, 2)]


def test_the_strip_says_how_an_attempt_ended() -> None:
    film = attempts_film([attempt(2, success=True), attempt(1, success=False)], panel=40, hold=1)
    greens, reds = ((film == color).all(-1).sum((1, 2)) for color in (GREEN, RED))
    assert [bool(count) for count in greens] == [False, False, True, True, False, False, False]
    assert [bool(count) for count in reds] == [False, False, False, False, False, True, True]


def test_the_imagined_video_is_played_anew_after_every_plan() -> None:
    film = attempts_film([attempt(6, success=True, imagined={0: 2, 4: 2})], panel=40, hold=0)
    assert [own[-1] for own in panels(film)] == [100, 100, 101, 101, 100, 100, 101]
    seen = attempts_film([attempt(6, success=True)], panel=40, hold=0)
    assert film.shape[2] > seen.shape[2]


def test_what_was_told_stands_above() -> None:
    film = attempts_film([attempt(1, success=True)], panel=40, hold=0)
    assert (film[0, :30] < 100).any()
