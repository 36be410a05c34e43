import errno
import fcntl
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fanout.jobs import value_job
from vidrep_pipelines.common import locks
from vidrep_pipelines.common.locks import Locking, try_lock, try_process_lock
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.training.run_directory import RunDirectory

WITHOUT_LOCKS = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, 524]
TAKEN = [errno.EAGAIN, errno.EACCES]


def _refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "lockf", refuse)


@pytest.mark.parametrize("lock", [try_lock, try_process_lock])
@pytest.mark.parametrize("number", WITHOUT_LOCKS)
def test_a_file_system_without_locks_is_told_from_another_process(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    lock: Callable[[int, Path], Locking],
    number: int,
) -> None:
    locks._warn_once.cache_clear()
    _refuse(monkeypatch, number)
    with (tmp_path / "lock").open("w") as file:
        assert {lock(file.fileno(), tmp_path / "lock") for _ in range(3)} == {Locking.IMPOSSIBLE}
        (tmp_path / "other").mkdir()
        lock(file.fileno(), tmp_path / "other" / "lock")
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    mount_point = next(folder for folder in tmp_path.parents if folder.is_mount())
    assert f"The file system at {mount_point} has no locks" in warnings[0]


@pytest.mark.parametrize("lock", [try_lock, try_process_lock])
@pytest.mark.parametrize("number", TAKEN)
def test_what_another_process_holds_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[[int, Path], Locking], number: int
) -> None:
    _refuse(monkeypatch, number)
    with (tmp_path / "lock").open("w") as file:
        assert lock(file.fileno(), tmp_path / "lock") is Locking.TAKEN


@pytest.mark.parametrize("lock", [try_lock, try_process_lock])
def test_other_errors_are_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[[int, Path], Locking]
) -> None:
    _refuse(monkeypatch, errno.EIO)
    with (tmp_path / "lock").open("w") as file, pytest.raises(OSError, match="refused"):
        lock(file.fileno(), tmp_path / "lock")


def test_real_locks(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as first, path.open("w") as second:
        assert try_lock(first.fileno(), path, shared=True) is Locking.HELD
        assert try_lock(second.fileno(), path, shared=True) is Locking.HELD
        assert try_lock(second.fileno(), path) is Locking.TAKEN


def test_a_process_lock_keeps_other_processes_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'w')\n"
        "try: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB); print('held')\n"
        "except OSError: print('taken')"
    )
    command = [sys.executable, "-S", "-c", code, str(path)]
    with path.open("w") as file:
        assert try_process_lock(file.fileno(), path) is Locking.HELD
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"taken\n"
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"held\n"


@pytest.mark.parametrize("number", WITHOUT_LOCKS)
def test_items_and_trainings_go_on_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    _refuse(monkeypatch, number)
    assert len(run_job(value_job([1, 2]), tmp_path / "items").ids) == 2
    with RunDirectory(tmp_path / "run", tmp_path / "reports", keep_former_runs=1).locked():
        assert (tmp_path / "run").is_dir()
