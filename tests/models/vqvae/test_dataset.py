from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig
from vidrep_pipelines.models.vqvae.dataset import StoredWindows, WholeFrames, WindowSampling


@given(
    frames=st.integers(1, 60), length=st.integers(1, 12), step=st.integers(1, 4), windows=st.integers(1, 4),
    first=st.none() | st.integers(1, 40), seed=st.integers(0, 99),
)  # fmt: skip
def test_windows_are_evenly_spaced_and_inside(
    frames: int, length: int, step: int, windows: int, first: int | None, seed: int
) -> None:
    sampling = WindowSampling(frames=length, step=step, windows=windows, first_frames=first)
    usable = min(frames, first or frames)
    if (length - 1) * step >= usable:
        with pytest.raises(InputError, match="do not hold a window"):
            sampling(frames, np.random.default_rng(seed))
        return
    ranks = sampling(frames, np.random.default_rng(seed))
    assert ranks.shape == (windows, length)
    assert (np.diff(ranks, axis=1) == step).all()
    assert ranks.min() >= 0 and ranks.max() < usable


def test_every_start_is_drawn() -> None:
    ranks = WindowSampling(frames=3, windows=200)(6, np.random.default_rng(0))
    assert set(ranks[:, 0]) == {0, 1, 2, 3}


def test_whole_frames_are_kept_whatever_their_shape() -> None:
    frames = np.zeros((2, 8, 16, 3), np.uint8)
    frames[:, :, 8:] = 200
    resized = WholeFrames(size=4)(frames, np.random.default_rng(0))
    assert resized.shape == (2, 3, 4, 4)
    assert resized[0, 0, 0].tolist() == [0, 0, 200, 200]


def test_windows_of_a_store_are_its_frames(tmp_path: Path) -> None:
    episodes = [ArrayEpisode(f"kuka/traj{number}") for number in range(6)]
    requests = shard_requests(prepare(tmp_path / "episodes", episodes))
    write_store_manifest(tmp_path / "store", run_job(assembly_job(requests), tmp_path / "store").ids)
    store = FrameStore(tmp_path / "store").select("train")
    side = store.facts.height
    data = VqvaeDataConfig(clip_frames=2, frame_step=2)
    windows = StoredWindows(tmp_path / "store", "train", data, side, seed=3)
    assert len(windows) == sum(store.length(view) - 2 for view in store.ids)
    sample = windows[(1, 1)]
    expected = store.frames(store.ids[0], [1, 3]).transpose(0, 3, 1, 2)
    assert np.array_equal(sample["frames"][0].numpy(), expected)
    assert sample["seed"].shape == (1,) and windows.name(1) == f"{store.ids[0]}, frame 1"
    with pytest.raises(ConfigurationError, match="set model"):
        StoredWindows(tmp_path / "store", "train", data, side + 1, seed=3)
