"""Waiting for processes, and finding those that should be gone."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 60


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Polls until the condition holds and fails the test when that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def _status(process: int) -> list[str] | None:
    """What the kernel says of a process after its name (state, parent, ...); None when it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it may end while its file is read
        return None


def is_alive(process: int) -> bool:
    """False also for a dead process that nobody collected (in containers without an init process)."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = _status(process)
    return not Path("/proc/self").exists() if status is None else status[0] != "Z"


def parent_of(process: int) -> int | None:
    """The parent of a process; None when the process has ended."""
    status = _status(process)
    return None if status is None else int(status[1])


def command_of(process: int) -> bytes:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def kill_if_alive(process: int) -> None:
    """Kills a process that may have ended by itself in the meantime."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def running_with(text: str) -> list[int]:
    """Processes, other than this one, whose environment has this text (children inherit it)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inherits = text.encode() in (folder / "environ").read_bytes()
        except OSError:
            continue
        if inherits and int(folder.name) != os.getpid() and is_alive(int(folder.name)):
            found.append(int(folder.name))
    return found
