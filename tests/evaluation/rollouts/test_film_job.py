from dataclasses import replace
from pathlib import Path

import av

from tests.evaluation.rollouts.test_rollout_job import STANDS, WALKS
from tests.helpers.stores import SERIAL
from vidrep_pipelines.evaluation.rollouts.config import FilmsConfig, RolloutConfig
from vidrep_pipelines.evaluation.rollouts.film_job import film_job
from vidrep_pipelines.fanout.runner import run_job

FILMS = FilmsConfig(episodes=2, frames_per_second=4, panel=32)


def frames_of(path: Path) -> int:
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


def test_every_step_is_in_the_film(tmp_path: Path) -> None:
    parts = run_job(film_job(WALKS, FILMS, SERIAL), tmp_path)
    assert parts.ids == ["walks/00000", "walks/00001"]
    assert list(parts.table["success"]) == [True, True]
    for name, steps in zip(parts.ids, (2, 6), strict=True):
        assert frames_of(parts.path(name)) == steps + 1 + FILMS.frames_per_second


def test_films_are_made_again_when_what_they_show_changes(tmp_path: Path) -> None:
    run_job(film_job(WALKS, FILMS, SERIAL), tmp_path)
    film = tmp_path / "walks/00000.mp4"
    before = film.stat().st_mtime_ns
    run_job(film_job(WALKS, FILMS.model_copy(update={"episodes": 1}), SERIAL), tmp_path)
    assert film.stat().st_mtime_ns == before
    slower = replace(WALKS, config=RolloutConfig(execute_steps=1, most_steps=12))
    run_job(film_job(slower, FILMS, SERIAL), tmp_path)
    assert film.stat().st_mtime_ns > before
    assert run_job(film_job(STANDS, FILMS, SERIAL), tmp_path).ids == ["stands/00000", "stands/00001"]
