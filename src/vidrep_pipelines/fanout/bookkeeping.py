"""Where a job's folder keeps its own records, and the locks that keep two runs apart."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.item_id import BOOKKEEPING
from vidrep_pipelines.common.locks import Locking, try_lock
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.shard import Shard


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """Paths of the records below ``<folder>/_parts``, or of one shard's below that.

    Attributes:
        folder: The job's folder, where products lie.
        shard: The shard whose records these are; none for the whole job.
    """

    folder: Path
    shard: Shard | None = None

    @property
    def root(self) -> Path:
        """Everything that is not a product."""
        top = self.folder / BOOKKEEPING
        return top if self.shard is None else top / self.shard.folder_name

    @property
    def manifest(self) -> Path:
        """Folder of the parquet files with one row per item."""
        return self.root / "manifest"

    @property
    def failures(self) -> Path:
        """Table of the failed items, for people; there is none when nothing failed."""
        return self.root / "failures.csv"

    @property
    def journals(self) -> Path:
        """Rows of a run in progress (or of a killed one), one file per worker process."""
        return self.root / "journal"

    @property
    def temporary(self) -> Path:
        """Products being written. One folder for all, so that clearing it never scans the products."""
        return self.root / "temporary"

    def shards(self) -> "list[Bookkeeping]":
        """The records of all shards that are not merged yet."""
        folders = sorted((self.folder / BOOKKEEPING).glob("shard-*-of-*"))
        shards = [Shard.of_folder(path.name) for path in folders]
        return [Bookkeeping(self.folder, shard) for shard in shards if shard is not None]

    def clear_temporary(self) -> None:
        """Removes what killed workers left half written."""
        shutil.rmtree(self.temporary, ignore_errors=True)

    def clear_journals(self) -> None:
        """Removes the journals, after their rows went into the manifest."""
        shutil.rmtree(self.journals, ignore_errors=True)

    def claim(self, run: str) -> None:
        """Makes ``run`` the one whose workers may publish. On a cluster those of a killed run may live on."""
        with atomic_file(self._claim) as temporary:
            temporary.write_bytes(run.encode())

    def is_claimed_by(self, run: str) -> bool:
        """Whether no other run took over and this one is not over."""
        try:
            return self._claim.read_bytes() == run.encode()
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Ends the claim."""
        self._claim.unlink(missing_ok=True)

    @property
    def _claim(self) -> Path:
        return self.root / "run"

    @contextmanager
    def lock(self) -> "Iterator[list[Bookkeeping]]":
        """Held while a run works in the folder; the operating system frees it when the run is killed.

        Shards may run at the same time, each once; a run without a shard works alone.

        Yields:
            Whose records may be read meanwhile, these last: those of the whole job; for a run without a shard
            those of all shards; for a shard those of idle shards of another division of the job.

        Raises:
            FanOutError: Another run holds it.
        """
        whole = Bookkeeping(self.folder)
        if self.shard is None:
            with _locked(self.root / "lock"):
                yield [*self.shards(), self]
            return
        with (
            _locked(whole.root / "lock", shared=True),
            _locked(self.root / "lock"),
            ExitStack() as others,
        ):
            yield [whole, *self._idle(others), self]

    def _idle(self, locks: ExitStack) -> "Iterator[Bookkeeping]":
        """Shards of other divisions, kept idle until ``locks`` is closed."""
        for other in self.shards():
            if other.shard is not None and self.shard is not None and other.shard.count != self.shard.count:
                with suppress(FanOutError):
                    locks.enter_context(_locked(other.root / "lock", shared=True))
                    yield other


@contextmanager
def _locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if try_lock(file.fileno(), path, shared=shared) is Locking.TAKEN:
            file.seek(0)
            raise FanOutError(
                f"Another run is working in {path.parent} ({file.read().strip()}). "
                "Remedy: wait until it ends, or stop it."
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
