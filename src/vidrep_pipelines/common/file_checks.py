"""Files compared with the checksums that were taken when they were written."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.item_id import BOOKKEEPING

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


def folders_below(root: Path) -> Iterator[tuple[Path, frozenset[str]]]:
    """Folders from ``root`` on with the names in them; neither hidden ones nor those of items' products."""
    for folder, names, files in os.walk(root):
        there = frozenset((*names, *files))
        names[:] = [] if BOOKKEEPING in there else [name for name in names if not name.startswith(".")]
        yield Path(folder), there


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
