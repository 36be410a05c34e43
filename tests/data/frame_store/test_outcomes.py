"""Rewards and discounts travel with the frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.helpers.stores import SMALL, ArrayEpisode, assembly_job, prepare, shard_requests
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError, Episode, EpisodeView
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import read_views
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job

LENGTH = 6


@dataclass(frozen=True)
class RewardedEpisode:
    """An episode whose rewards count up; it may break off."""

    trajectory: str
    first: float = 0.0
    whole_frames: int = LENGTH

    @property
    def digest(self) -> str:
        return repr(self)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        steps = np.arange(LENGTH - 1, dtype=np.float32)
        outcomes = np.stack([self.first + steps, np.ones_like(steps)], axis=1)
        controls = np.zeros((LENGTH, 2), np.float32), np.zeros((LENGTH - 1, 1), np.float32)
        yield Episode("arm", [EpisodeView(0, LENGTH, self._pictures())], *controls, outcomes)

    def _pictures(self) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
        for _ in range(self.whole_frames):
            yield np.zeros((8, 8, 3), np.uint8)
        if self.whole_frames < LENGTH:
            raise DamagedViewError("it breaks off")


def test_a_store_gives_the_outcomes_of_every_view(tmp_path: Path) -> None:
    episodes = [RewardedEpisode(f"arm_{number}", 10.0 * number) for number in range(3)]
    parts = prepare(tmp_path / "episodes", episodes)
    requests = shard_requests(parts)
    shards = run_job(assembly_job(requests), tmp_path / "store")
    write_store_manifest(tmp_path / "store", shards.ids)
    store = FrameStore(tmp_path / "store")
    for number, view in enumerate(store.ids):
        np.testing.assert_array_equal(store.outcomes(view)[:, 0], 10 * number + np.arange(LENGTH - 1))
        assert (store.outcomes(view)[:, 1] == 1).all()
    store.close()


def test_outcomes_end_where_the_frames_end(tmp_path: Path) -> None:
    request = EpisodeRequest(RewardedEpisode("arm", whole_frames=4), SMALL)
    prepare_episode(request, {".h5": tmp_path / "arm.h5"})
    (view,) = read_views(tmp_path / "arm.h5")
    assert view.frames == 4 and view.outcomes[:, 0].tolist() == [0, 1, 2]


def test_sources_without_rewards_have_no_outcomes_and_older_files_are_made_again(tmp_path: Path) -> None:
    path = tmp_path / "plain.h5"
    prepare_episode(EpisodeRequest(ArrayEpisode("plain"), SMALL), {".h5": path})
    assert all(view.outcomes.shape == (0, 2) for view in read_views(path))
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 1
    with pytest.raises(InputError, match="not version 2"):
        read_views(path)
