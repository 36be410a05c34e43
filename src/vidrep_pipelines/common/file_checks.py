"""Files compared with the checksums that were taken when they were written."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vidrep_pipelines.common.digest import digest_of_file

MISSING = "missing"
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class PromisedFile:
    """A file whose content is on record.

    Attributes:
        path: The file.
        checksum: Digest of the bytes that were written, see ``digest_of_file``.
        remedy: How it is made again, once it is removed.
    """

    path: Path
    checksum: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a promised file.

    Attributes:
        promised: The file.
        found: Digest of its bytes now, ``missing``, or why it cannot be read.
    """

    promised: PromisedFile
    found: str

    @property
    def whole(self) -> bool:
        """Whether the file is as it was written."""
        return self.found == self.promised.checksum


def check_files(promised: Iterable[PromisedFile], threads: int) -> Iterator[Finding]:
    """Reads every file to its end, several at a time; yields one finding per file, in the same order."""
    files = iter(promised)
    with ThreadPoolExecutor(threads) as pool:
        while piece := list(islice(files, _AT_ONCE)):
            yield from map(Finding, piece, pool.map(_content, piece))


def _content(promised: PromisedFile) -> str:
    try:
        return digest_of_file(promised.path)
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"unreadable: {error.strerror}"
