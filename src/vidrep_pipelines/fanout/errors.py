"""Errors of the fan-out."""

import errno
import os
from pathlib import Path

from vidrep_pipelines.common.errors import VidrepError

_FULL = {errno.ENOSPC, errno.EDQUOT}


class FanOutError(VidrepError):
    """A fan-out job cannot go on, or too many of its items failed."""


class DiskFullError(FanOutError):
    """No space is left for products; no fault of any item, so the whole job stops."""

    @classmethod
    def at(cls, folder: Path) -> "DiskFullError":
        """The error for a full disk under ``folder``."""
        return cls(
            f"No space (or quota) is left for {folder}. Remedy: free some and run the same command again; "
            "finished items are kept."
        )


def is_disk_full(error: BaseException) -> bool:
    """Whether ``error``, or an error that it was raised from, means that the disk is full.

    Video and array libraries wrap the operating system's error, some of them keeping only its text.
    """
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "errno", None) in _FULL or os.strerror(errno.ENOSPC) in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
