"""Where a job's folder keeps its own records, and the lock that keeps two runs apart."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import BOOKKEEPING


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """Paths of the records below ``<folder>/_parts``.

    Attributes:
        folder: The job's folder, where products lie.
    """

    folder: Path

    @property
    def root(self) -> Path:
        """Everything that is not a product."""
        return self.folder / BOOKKEEPING

    @property
    def manifest(self) -> Path:
        """One row per item."""
        return self.root / "manifest.parquet"

    @property
    def journals(self) -> Path:
        """Rows of a run in progress (or of a killed one), one file per worker process."""
        return self.root / "journal"

    @property
    def temporary(self) -> Path:
        """Products being written. One folder for all, so that clearing it never scans the products."""
        return self.root / "temporary"

    def clear_temporary(self) -> None:
        """Removes what killed workers left half written."""
        shutil.rmtree(self.temporary, ignore_errors=True)

    def clear_journals(self) -> None:
        """Removes the journals, after their rows went into the manifest."""
        shutil.rmtree(self.journals, ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a run works in the folder; the operating system frees it when the run is killed.

        Raises:
            FanOutError: Another run holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise FanOutError(
                    f"Another run is working in {self.folder} ({file.read().strip()}). "
                    "Remedy: wait until it ends, or stop it."
                ) from None
            except (
                OSError
            ):  # a file system without locks: nothing can be promised there, nothing needs to stop
                pass
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            yield
