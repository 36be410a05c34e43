import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from kedro.io import DatasetError

from tests.fanout.jobs import SERIAL, value_job
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets import hdf5_store
from vidrep_pipelines.datasets.hdf5_store import ArrayStore, Hdf5Store
from vidrep_pipelines.fanout.runner import run_job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a b").mkdir()
    for number in range(5):
        with h5py.File(tmp_path / "a b" / f"clip_{number}.h5", "w") as file:
            file["masks"] = np.arange(24).reshape(4, 2, 3) + number
            file["truth/phase"] = np.arange(4)
            file["instruction"] = "pour it"
            file["names"] = np.array(["cup", "Löffel"], dtype=h5py.string_dtype())
            file.attrs["fps"] = 25.0
            file.attrs["activity"] = "pouring"
            file.attrs["size"] = [3, 2]
    return tmp_path


@pytest.fixture
def store(folder: Path) -> ArrayStore:
    return Hdf5Store(filepath=folder).load()


def test_names_and_ids(store: ArrayStore) -> None:
    assert store.ids == [f"a b/clip_{number}" for number in range(5)]
    assert store.names("a b/clip_1") == ["instruction", "masks", "names", "truth/phase"]


@pytest.mark.parametrize(
    "selection", [slice(1, 3), 2, [0, 3], (slice(None), 1), (0, slice(None), slice(0, 2))]
)
def test_reading_a_part(store: ArrayStore, selection: hdf5_store.ArraySelection) -> None:
    whole = store.read("a b/clip_2", "masks")
    assert whole.tolist() == (np.arange(24).reshape(4, 2, 3) + 2).tolist()
    assert store.read("a b/clip_2", "masks", selection).tolist() == whole[selection].tolist()


def test_texts_scalars_and_attributes(store: ArrayStore) -> None:
    assert store.read("a b/clip_0", "instruction").item() == "pour it"
    assert store.read("a b/clip_0", "names").tolist() == ["cup", "Löffel"]
    attributes = store.attributes("a b/clip_0")
    assert attributes.pop("size").tolist() == [3, 2]
    assert attributes == {"fps": 25.0, "activity": "pouring"}
    assert type(attributes["fps"]) is float


def test_errors_name_the_file(store: ArrayStore, folder: Path) -> None:
    with pytest.raises(InputError, match=r"no array 'nothing'; it has \['instruction'"):
        store.read("a b/clip_0", "nothing")
    with pytest.raises(InputError, match=r"clip_9\.h5 does not exist"):
        store.names("a b/clip_9")
    victim = folder / "a b" / "clip_4.h5"
    victim.write_bytes(victim.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"clip_4\.h5 is no whole HDF5 file"):
        store.read("a b/clip_4", "masks")


def test_few_files_stay_open(store: ArrayStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_store, "_OPEN_FILES", 2)
    store = ArrayStore(store.folder, store.ids)
    for item_id in store.ids:
        store.read(item_id, "masks")
    assert list(store._files) == store.ids[-2:]
    store.close()
    assert store.read(store.ids[0], "truth/phase").tolist() == [0, 1, 2, 3]


def test_pickles_without_open_files(store: ArrayStore) -> None:
    store.read(store.ids[0], "masks")
    copy = pickle.loads(pickle.dumps(store))
    assert copy._files == {}
    assert copy.read(store.ids[0], "masks").shape == (4, 2, 3)


def test_a_forked_process_opens_its_own_files(store: ArrayStore) -> None:
    store.read(store.ids[0], "masks")
    parent = store._files[store.ids[0]]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_read_anew, (store.ids[0],)) is True
    assert parent.id.valid


_inherited: list[ArrayStore] = []


@pytest.fixture(autouse=True)
def _inherit(store: ArrayStore) -> None:
    _inherited[:] = [store]


def _read_anew(item_id: str) -> bool:
    (store,) = _inherited
    before = store._files[item_id]
    return store.read(item_id, "masks").shape == (4, 2, 3) and store._files[item_id] is not before


def test_store_of_a_job(tmp_path: Path) -> None:
    parts = run_job(value_job([1], SERIAL), tmp_path)
    store = ArrayStore.of(parts, ".txt")
    assert store.ids == parts.ids
    assert store.path(store.ids[0]) == parts.path(store.ids[0], ".txt")


def test_folder_of_an_unfinished_job_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "_parts").mkdir()
    dataset = Hdf5Store(filepath=tmp_path)
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="no job was run"):
        dataset.load()
