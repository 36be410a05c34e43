import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.open_files import TooManyOpenFilesError
from vidrep_pipelines.data.frame_store.video_episode import read_controls
from vidrep_pipelines.data.hdf5 import create_hdf5, open_foreign_hdf5, open_hdf5
from vidrep_pipelines.data.labelled_videos.frame_embeddings import write_embeddings
from vidrep_pipelines.data.sources.replay_buffer.episode import opened_columns
from vidrep_pipelines.data.sources.robonet.header import opened

SECRET = b"root:x:0:0 this must not be read"


def _external_array(file: h5py.File, other: Path) -> None:
    file.create_dataset("env/secret", (len(SECRET),), "u1", external=[(str(other), 0, len(SECRET))])


def _external_link(file: h5py.File, other: Path) -> None:
    file["env/secret"] = h5py.ExternalLink(str(other), "/bytes")


def _virtual_array(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((len(SECRET),), "u1")
    layout[:] = h5py.VirtualSource(str(other), "bytes", (len(SECRET),))
    file.require_group("env").create_virtual_dataset("secret", layout)


def _external_array_behind_a_soft_link(file: h5py.File, other: Path) -> None:
    file.create_dataset("hidden/deep/x", (len(SECRET),), "u1", external=[(str(other), 0, len(SECRET))])
    file["env/secret"] = h5py.SoftLink("/hidden/deep/x")


ATTACKS = [_external_array, _external_link, _virtual_array, _external_array_behind_a_soft_link]
READERS: dict[str, Callable[[Path], object]] = {
    "RoboNet": lambda path: opened(path).__enter__(),
    "replay buffer": lambda path: opened_columns(path).__enter__(),
    "states beside a video": read_controls,
}


def _attack(folder: Path, attack: Callable[[h5py.File, Path], None]) -> Path:
    other = folder / "other.h5"
    if attack in (_external_link, _virtual_array):
        with h5py.File(other, "w") as file:
            file["bytes"] = np.frombuffer(SECRET, "u1")
    else:
        other.write_bytes(SECRET)
    path = folder / "brought.hdf5"
    with h5py.File(path, "w") as file:
        attack(file, other)
        for name in ("action", "reward", "image", "states", "actions"):
            file[name] = np.zeros((2, 3), np.float32)
    with h5py.File(path) as file:  # the attack works on whoever reads without looking
        assert file["env/secret"][:].tobytes() == SECRET
    return path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_content_of_other_files_is_refused(
    tmp_path: Path, attack: Callable[[h5py.File, Path], None], reader: str
) -> None:
    path = _attack(tmp_path, attack)
    with pytest.raises(
        InputError, match=rf"{path} is refused: .*secret|{path} is refused: .*hidden"
    ) as caught:
        READERS[reader](path)
    assert "Remedy" in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_refused(tmp_path: Path, reader: str, kind: str) -> None:
    path = tmp_path / "brought.hdf5"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="no regular file"):
        READERS[reader](path)


def test_files_with_too_many_objects_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidrep_pipelines.data.hdf5._MOST_OBJECTS", 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(4):
            file[str(number)] = 0
    with pytest.raises(InputError, match="more than 3 objects"):
        open_foreign_hdf5(tmp_path / "a.h5")


def test_honest_files_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["env/frames"] = np.arange(6)
        file["env/compact"] = 1.5
        file.create_dataset("packed", data=np.arange(100), compression="gzip")
        file["again"] = h5py.SoftLink("/env/frames")
        file["env/loop"] = file["env"]
        file["nowhere"] = h5py.SoftLink("/absent")
    with open_foreign_hdf5(tmp_path / "a.h5") as file:
        assert file["again"][:].tolist() == list(range(6))
        assert file["packed"][99] == 99
    with pytest.raises(FileNotFoundError):
        open_foreign_hdf5(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(OSError, match="signature"):
        open_foreign_hdf5(tmp_path / "text.h5")


def test_neither_writing_nor_reading_takes_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.touch()
    with path.open("a") as held:  # stands for a file system on which every lock fails
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_embeddings(path, np.ones((2, 3), np.float32))
        with create_hdf5(path) as file:
            file["x"] = 7
        with open_hdf5(path) as file:
            assert file["x"][()] == 7
        with open_foreign_hdf5(path) as file:
            assert file["x"][()] == 7


def test_no_other_module_opens_hdf5_files(project_root: Path) -> None:
    source = project_root / "src/vidrep_pipelines"
    offenders = [
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"h5py\.File\(|File\([^)]*locking=", path.read_text())
    ]
    assert offenders == ["data/hdf5.py"]


def test_a_lack_of_descriptors_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(h5py, "File", full)
    for function in (create_hdf5, open_hdf5, open_foreign_hdf5):
        with pytest.raises(TooManyOpenFilesError, match="ulimit -n"):
            function(tmp_path / "a.h5")
