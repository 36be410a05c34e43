import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.assembly import assemble_shard
from vidrep_pipelines.data.frame_store.config import SelectionConfig
from vidrep_pipelines.data.frame_store.manifest import MANIFEST, write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job

EPISODES = [
    ArrayEpisode(f"t{number}", (4, 5 + number), robot="kuka" if number % 2 else "sawyer")
    for number in range(6)
]


def make(folder: Path) -> Path:
    requests = shard_requests(prepare(folder / "episodes", EPISODES))
    parts = run_job(assembly_job(requests), folder / "store")
    write_store_manifest(folder / "store", parts.ids)
    return folder / "store"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def store(folder: Path) -> FrameStore:
    return FrameStore(folder)


def test_frames_states_and_actions_of_every_view(store: FrameStore) -> None:
    assert list(store.ids) == [f"{episode.trajectory}_{camera}" for episode in EPISODES for camera in (0, 1)]
    for episode in EPISODES:
        with episode.open() as opened:
            for camera in (0, 1):
                view, T = f"{episode.trajectory}_{camera}", episode.lengths[camera]
                np.testing.assert_array_equal(store.frames(view), episode.pictures(camera))
                np.testing.assert_array_equal(store.states(view), opened.states[:T])
                np.testing.assert_array_equal(store.actions(view), opened.actions[: T - 1])
                assert store.length(view) == T


@pytest.mark.parametrize(
    "selection",
    [
        slice(2),
        slice(1, 3),
        slice(-2, None),
        slice(None, None, 2),
        slice(3, 1),
        slice(9, 12),
        slice(3, 0, -1),
    ],
)
def test_slices_are_those_of_an_array(store: FrameStore, selection: slice) -> None:
    np.testing.assert_array_equal(store.frames("t3_1", selection), EPISODES[3].pictures(1)[selection])


def test_single_frames_in_any_order(store: FrameStore) -> None:
    for ranks in ([3, 0, 3, 1, 2], [], np.array([1])):
        np.testing.assert_array_equal(
            store.frames("t3_1", ranks), EPISODES[3].pictures(1)[np.array(ranks, int)]
        )
    for outside in ([-1], [0, 8]):
        with pytest.raises(IndexError, match=r"0\.\.7"):
            store.frames("t3_1", outside)


def test_no_such_view(store: FrameStore) -> None:
    for name in ("t3_2", "", "zzz"):
        with pytest.raises(InputError, match="no view"):
            store.frames(name)
    with pytest.raises(IndexError):
        store.frames_at(len(store))


def test_selecting_views(store: FrameStore) -> None:
    splits = {name: store.select(name) for name in ("train", "validation", "test")}
    assert sorted(view for part in splits.values() for view in part.ids) == list(store.ids)
    kuka = store.select(selection=SelectionConfig(robots=("kuka",), cameras=(1,)))
    assert list(kuka.ids) == ["t1_1", "t3_1", "t5_1"]
    np.testing.assert_array_equal(kuka.frames_at(1), EPISODES[3].pictures(1))
    assert kuka.content_digest != store.content_digest
    assert set(kuka.table["robot"]) == {"kuka"}
    with pytest.raises(ConfigurationError, match="'holdout'"):
        store.select("holdout")


def test_splits_share_no_trajectory(store: FrameStore) -> None:
    assert store.table.groupby("trajectory")["split"].nunique().max() == 1


def test_pickled_handle(store: FrameStore) -> None:
    store.frames("t0_0")
    copy = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(copy.frames("t2_1", [3, 1]), store.frames("t2_1", [3, 1]))


class FirstFrames(Dataset[np.ndarray]):
    def __init__(self, store: FrameStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.store.frames_at(index, slice(4))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes(store: FrameStore, method: str) -> None:
    store.frames("t0_0")  # open before the fork
    loader = DataLoader(
        FirstFrames(store), num_workers=1, multiprocessing_context=multiprocessing.get_context(method)
    )
    found = np.concatenate([batch.numpy() for batch in loader])
    expected = [store.frames_at(index, slice(4)) for index in range(len(store))]
    np.testing.assert_array_equal(found, expected)


def test_shards_are_the_same_every_time(tmp_path: Path, folder: Path) -> None:
    again = make(tmp_path)
    files = sorted(path.relative_to(folder) for path in folder.glob("*/*.h5"))
    assert files == sorted(path.relative_to(again) for path in again.glob("*/*.h5"))
    assert all((folder / path).read_bytes() == (again / path).read_bytes() for path in files)
    assert FrameStore(folder).content_digest == FrameStore(again).content_digest


def test_shard_made_anew_is_noticed(tmp_path: Path) -> None:
    folder = make(tmp_path)
    store = FrameStore(folder)
    for path in folder.glob("*/*.h5"):
        with h5py.File(path, "a") as file:
            file.attrs["digest"] = "another"
    with pytest.raises(InputError, match="made anew"):
        store.frames("t0_0")


def test_no_store_and_damaged_manifest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished frame store"):
        FrameStore(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        FrameStore(tmp_path)
    with pytest.raises(InputError, match="there are no shards"):
        write_store_manifest(tmp_path, [])


def test_members_of_another_size_or_gone(tmp_path: Path) -> None:
    request = shard_requests(prepare(tmp_path, EPISODES))[0]
    path = request.members[0].path
    with h5py.File(path, "a") as file:
        del file["frames"]
        file["frames"] = np.zeros((20, 9, 9, 3), np.uint8)
    with pytest.raises(InputError, match="prepare the episode again"):
        assemble_shard(request, {".h5": tmp_path / "out.h5"})
    path.unlink()
    with pytest.raises(InputError, match=path.name):
        assemble_shard(request, {".h5": tmp_path / "out.h5"})


def test_single_frames_and_rows_by_position(store: FrameStore) -> None:
    for position, view in enumerate(store.ids):
        last = store.length(view) - 1
        picture = np.zeros((8, 8, 3), np.uint8)
        store.picture_into(picture, position, last)
        np.testing.assert_array_equal(picture, store.frames(view)[last])
        np.testing.assert_array_equal(store.states_at(position, [last, 0]), store.states(view)[[last, 0]])
        np.testing.assert_array_equal(store.actions_at(position, slice(1, 3)), store.actions(view)[1:3])
        for frame in (-1, last + 1):
            with pytest.raises(IndexError, match="frame numbers must be in"):
                store.picture_into(picture, position, frame)
        with pytest.raises(IndexError):
            store.actions_at(position, [last])
    with pytest.raises(InputError, match=r"has frames \(8, 8, 3\), expected are \(4, 4, 3\)"):
        store.picture_into(np.zeros((4, 4, 3), np.uint8), 0, 0)
