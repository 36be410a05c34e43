"""Kills a procedure before any chosen one of its steps on the disk."""

import os
import sys
from collections.abc import Callable

_STEPS = {
    "os.rename",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.utime",
    "os.truncate",
    "shutil.copyfile",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_KILLED = 9


def killed_before_event(number: int, procedure: Callable[[], object]) -> bool:
    """Runs ``procedure`` in a forked process that dies, as by ``kill -9``, before a step.

    Steps are what changes files: renames (the exchange of two names too), links, removals, files opened for
    writing.

    Args:
        number: Of the step, from 0.
        procedure: What to run.

    Returns:
        Whether it was killed; False when it has no more steps than ``number``.

    Raises:
        RuntimeError: The procedure failed before.
    """
    process = os.fork()
    if process == 0:
        code = 1
        try:
            _die_before(number)
            procedure()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code not in (0, _KILLED):
        raise RuntimeError(f"the procedure failed with code {code}")
    return code == _KILLED


def _die_before(number: int) -> None:
    done = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal done
        exchanges = event == "ctypes.dlsym" and "renameat2" in arguments
        writes = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & _WRITING)
        if event in _STEPS or exchanges or writes:
            if done == number:
                os._exit(_KILLED)
            done += 1

    sys.addaudithook(count)
