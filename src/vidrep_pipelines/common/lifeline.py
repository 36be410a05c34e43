"""No life without the parent: a process that works for another one ends when that one is gone."""

import fcntl
import os
import signal
import threading
from multiprocessing import connection, parent_process


def die_with_parent() -> None:
    """From now on this process is killed when the one that started it by ``multiprocessing`` ends.

    The parent holds the other end of a pipe, which the kernel closes however the parent ends. Without a
    parent of that kind nothing happens.
    """
    parent = parent_process()
    if parent is None:
        return
    if hasattr(fcntl, "F_SETSIG"):  # Linux: the kernel does it, also when work never frees the interpreter
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, os.O_ASYNC)
    threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
