from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.stores import assembly_job, prepare, shard_requests
from vidrep_pipelines.data.frame_store.episode import NO_CAMERA, Episode, EpisodeView
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.frame_store import FrameStoreDataset
from vidrep_pipelines.reporting.episodes import (
    episode_film,
    episode_report,
    episode_sheet,
    episode_table,
    store_report,
    store_sheet,
)


@dataclass(frozen=True)
class CountingEpisode:
    """Frames as bright as their number times ten; every action earns ``reward``."""

    trajectory: str
    robot: str
    reward: float
    frames: int = 4

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        pictures = (np.full((8, 8, 3), 10 * number, np.uint8) for number in range(self.frames))
        outcomes = np.tile(np.array([self.reward, 1.0], np.float32), (self.frames - 1, 1))
        states, actions = np.zeros((self.frames, 3), np.float32), np.zeros((self.frames - 1, 2), np.float32)
        yield Episode(self.robot, [EpisodeView(NO_CAMERA, self.frames, pictures)], states, actions, outcomes)


EPISODES = [
    CountingEpisode("a", "good", 2.0),
    CountingEpisode("b", "good", 1.0),
    CountingEpisode("c", "poor", 0.0, frames=2),
    CountingEpisode("d", "poor", 0.5),
]


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    parts = prepare(tmp_path / "episodes", EPISODES)
    dataset = FrameStoreDataset(filepath=tmp_path / "store")
    dataset.save(assembly_job(shard_requests(parts)))
    return dataset.load()


def test_the_report_gives_returns_by_behavior_and_what_was_left_out(store: FrameStore) -> None:
    assert episode_table(store)["return"].tolist() == [6.0, 3.0, 0.0, 1.5]
    report = episode_report(store, {"e": "broken"})
    assert (report["episodes"], report["frames"], report["actions"], report["states"]) == (4, 14, 2, 3)
    assert {row["split"]: row["episodes"] for row in report["splits"]} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
    good, poor = report["returns"]
    assert good == {
        "behavior": "good",
        "episodes": 2,
        "mean": 4.5,
        "std": pytest.approx(4.5**0.5),
        "min": 3.0,
        "max": 6.0,
    }
    assert (poor["mean"], poor["min"], poor["max"]) == (0.75, 0.0, 1.5)
    assert report["left_out"] == {"e": "broken"} and report["size"] == [8, 8]


def test_the_film_shows_episodes_side_by_side_until_the_longest_ends(store: FrameStore) -> None:
    film = episode_film(store)
    side = film.shape[2] // 3
    assert film.shape == (4, 2 * side, 3 * side, 3) and side % 8 == 0
    cells = film[:, ::side, ::side, 0]  # a pixel of each
    assert sorted(cells[3].flatten().tolist()) == [
        0,
        0,
        10,
        30,
        30,
        30,
    ]  # two are empty, one ended at its second
    assert sorted(cells[0].flatten().tolist()) == [0] * 6


def test_the_sheet_is_as_tall_as_its_episodes(store: FrameStore) -> None:
    width, height = episode_sheet(store).size
    assert height > 4 * 112 and width > 4 * 112


def test_the_report_of_a_store_counts_views_by_split_and_robot(store: FrameStore) -> None:
    report = store_report(store, {"e": "broken"}, {"c": "ends early"})
    assert sum(row["views"] for row in report["splits"]) == 4
    assert sum(row["frames"] for row in report["splits"]) == 14
    assert {row["robot"] for row in report["splits"]} == {"good", "poor"}
    assert (report["left_out"], report["damaged"]) == ({"e": "broken"}, {"c": "ends early"})
    assert (report["size"], report["mean"], report["std"]) == ([8, 8], store.facts.mean, store.facts.std)


def test_the_sheet_of_a_store_is_as_tall_as_its_views(store: FrameStore) -> None:
    width, height = store_sheet(store).size
    assert height > 4 * 112 and width > 4 * 112
