"""Waiting for processes, and finding those that should be gone."""

import os
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


def is_alive(process: int) -> bool:
    """False also for a dead process that nobody collected (in containers without an init process)."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


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
