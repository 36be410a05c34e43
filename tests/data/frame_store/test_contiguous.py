import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.videos import truncate
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.open_files import TooManyOpenFilesError
from vidrep_pipelines.data.frame_store import contiguous
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray, OpenArrays

VALUES = np.random.default_rng(0).integers(-(2**15), 2**15, (20, 3, 2), dtype=np.int16)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arrays") / "a.h5"
    with h5py.File(path, "w") as handle:
        handle["before"] = np.arange(7)
        handle["values"] = VALUES
        handle.create_dataset("chunked", data=VALUES, chunks=(1, 3, 2))
        handle.attrs["version"] = "one"
    return path


@given(st.integers(0, 20), st.integers(0, 20), st.lists(st.integers(0, 19)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reads_what_hdf5_reads(file: Path, start: int, stop: int, rows: list[int]) -> None:
    array = ContiguousArray(file, "values")
    start, stop = min(start, stop), max(start, stop)
    np.testing.assert_array_equal(array.read(start, stop), VALUES[start:stop])
    chosen = np.array(rows, np.int64)
    np.testing.assert_array_equal(array.read_rows(chosen), VALUES[chosen])
    assert array.read(0, 1).dtype == np.int16
    array.close()


def test_other_layouts_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match="in chunks"):
        ContiguousArray(file, "chunked")


@pytest.mark.parametrize("name", ["absent", "values"])
def test_missing_arrays_and_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="does not exist"):
        ContiguousArray(tmp_path / "no.h5", name)


def test_absent_array(file: Path) -> None:
    with pytest.raises(InputError, match="no array 'absent'"):
        ContiguousArray(file, "absent")


def test_file_that_shrinks_while_open(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as handle:
        handle["values"] = np.zeros((1000, 100))
    array = ContiguousArray(path, "values")
    truncate(path, 0.5)
    with pytest.raises(InputError, match="shorter"):
        array.read(0, 1000)
    array.close()


def test_open_arrays_check_the_version_and_survive_pickling(file: Path) -> None:
    arrays = OpenArrays(file.parent, "values", "version", {"a.h5": "one"})
    assert arrays["a.h5"] is arrays["a.h5"]
    copy = pickle.loads(pickle.dumps(arrays))
    np.testing.assert_array_equal(copy["a.h5"].read(3, 5), VALUES[3:5])
    with pytest.raises(InputError, match="made anew"):
        OpenArrays(file.parent, "values", "version", {"a.h5": "two"})["a.h5"]
    arrays.close()
    copy.close()


def test_few_files_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidrep_pipelines.data.frame_store.contiguous._OPEN_FILES", 2)
    names = [f"{number}.h5" for number in range(4)]
    for name in names:
        with h5py.File(tmp_path / name, "w") as handle:
            handle["values"] = np.full((2, 2), int(name[0]))
            handle.attrs["version"] = ""
    arrays = OpenArrays(tmp_path, "values", "version", dict.fromkeys(names, ""))
    for _ in range(2):
        for number, name in enumerate(names):
            assert arrays[name].read(0, 1).tolist() == [[number, number]]
    arrays.close()


def test_empty_arrays_have_no_rows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle.create_dataset("states", (0, 5), np.float32)
    array = ContiguousArray(tmp_path / "a.h5", "states")
    assert array.read(0, 0).shape == (0, 5) and array.read_rows(np.array([], np.int64)).shape == (0, 5)
    array.close()


def test_more_files_than_the_system_allows_to_be_open(tmp_path: Path) -> None:
    names = [f"{number}.h5" for number in range(150)]
    for name in names:
        with h5py.File(tmp_path / name, "w") as handle:
            handle["values"] = np.full((2, 2), int(name.split(".")[0]))
            handle.attrs["version"] = ""
    code = (
        "import resource, sys; from pathlib import Path; import numpy as np\n"
        "from vidrep_pipelines.data.frame_store.contiguous import OpenArrays\n"
        "from vidrep_pipelines.datasets.hdf5_store import ArrayStore\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "names = [f'{number}.h5' for number in range(150)]\n"
        "folder, versions = Path(sys.argv[1]), dict.fromkeys(names, '')\n"
        "stores = [OpenArrays(folder, 'values', 'version', versions) for _ in range(6)]\n"
        "others = [ArrayStore(folder, [n[:-3] for n in names]) for _ in range(2)]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))\n"
        "got = {(int(s[n].read(0, 1)[0, 0]), int(o.read(n[:-3], 'values')[0, 0]))\n"
        "       for n in names for s in stores for o in others}\n"
        "assert got == {(n, n) for n in range(150)}, got\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_without_any_descriptor_the_message_names_the_limit(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    arrays = OpenArrays(file.parent, "values", "version", {"a.h5": "one"})
    monkeypatch.setattr(os, "open", full)
    with pytest.raises(TooManyOpenFilesError, match="ulimit -n"):
        arrays["a.h5"]


def test_a_file_that_was_closed_meanwhile_is_opened_without_hdf5(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = OpenArrays(file.parent, "values", "version", {"a.h5": "one"})
    assert arrays["a.h5"].shape == VALUES.shape
    arrays.close()
    monkeypatch.setattr(contiguous, "open_hdf5", None)
    np.testing.assert_array_equal(arrays["a.h5"].read(3, 5), VALUES[3:5])
    arrays.close()


def test_a_file_that_was_made_anew_meanwhile_is_looked_at_again(tmp_path: Path) -> None:
    path, arrays = tmp_path / "a.h5", OpenArrays(tmp_path, "values", "version", {"a.h5": "one"})
    for content in (VALUES, VALUES[4:] + 1):
        with h5py.File(tmp_path / "new.h5", "w") as handle:
            handle["filler"] = np.zeros(len(content))
            handle["values"] = content
            handle.attrs["version"] = "one"
        (tmp_path / "new.h5").replace(path)
        np.testing.assert_array_equal(arrays["a.h5"].read(0, len(content)), content)
        arrays.close()
