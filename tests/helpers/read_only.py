"""Folders that cannot be written to, for root as well."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DROP_FROM_BOUNDING_SET, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2


def obey_permissions() -> None:
    """For ``preexec_fn`` of a process: lets permissions count for root too. Linux only.

    Raises:
        OSError: The system does not let this process give up a capability.
    """
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        if libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below the folder may be changed by a process that obeys permissions."""
    everything = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in everything if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of the last change of all files below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files
    }
