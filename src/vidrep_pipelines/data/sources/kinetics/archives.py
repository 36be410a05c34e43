"""The archives in which Kinetics is published: which there are, and how they are unpacked.

Source: the CVDF mirror. Each list (``k400_train_path.txt``) names the addresses of ``.tar.gz`` files, and
each of these holds about a thousand clips. Clips that are damaged there come again in
``replacement_for_corrupted_k400.tgz``.
"""

import gzip
import io
import logging
import shutil
import tarfile
import zlib
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from vidrep_pipelines.common.atomic import atomic_file, remove_leftovers
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_text import read_foreign_lines
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.common.text import is_utf8
from vidrep_pipelines.data.files.foreign_listing import is_hidden, list_files_below

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")
CLIP_SUFFIX = ".mp4"

_DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_LARGEST_GROWTH = 20
_ALWAYS_ALLOWED = 256 * 2**20
"""Videos do not get smaller by packing: what does is none."""

_MOST_ZEROS = 64 * 2**20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """One archive.

    Attributes:
        id: Its name without the suffix.
        path: The file's path.
    """

    id: str
    path: Path

    def digest(self, destination: Path) -> str:
        """Changes with the archive's size and time, and with the place that it is unpacked to."""
        try:
            status = self.path.stat()
        except OSError:
            return digest_of(destination, "absent")
        return digest_of(destination, status.st_size, status.st_mtime_ns)


def find_archives(source: Path) -> list[Archive]:
    """The archives of a folder, or those that a published list names.

    Args:
        source: A folder, which is searched at any depth; or a text file with an address or path per line. The
            archive of an address is expected beside the list, under the last part of the address, where
            ``wget --input-file`` and ``aria2c --input-file`` put it.

    Raises:
        InputError: There is no archive, two have the same name, or the list cannot be read. An archive that
            the list names and that is not there is no error here: it fails alone, when it is unpacked.
    """
    paths = _below(source) if source.is_dir() else _listed(source)
    archives = [Archive(_stem(path.name), path) for path in paths]
    if not archives:
        raise InputError(
            f"kinetics.archives: {source} has no archive ({', '.join(ARCHIVE_SUFFIXES)}). Remedy: download "
            "them first, or correct the parameter."
        )
    by_id = {archive.id: archive for archive in archives}
    if len(by_id) < len(archives):
        twice = next(archive for archive in archives if by_id[archive.id] is not archive)
        raise InputError(
            f"kinetics.archives: {source} has two archives {twice.id!r}, which would be unpacked to the same "
            "folder. Remedy: one folder or list for each split."
        )
    return sorted(archives, key=lambda archive: archive.id)


def unpack_item(payload: tuple[Path, Path], outputs: Mapping[str, Path]) -> dict[str, int]:
    """Unpacks the archive ``payload[0]`` to the folder ``payload[1]``; see :func:`unpack`."""
    del outputs  # the clips are the products; they are listed afterwards, whatever unpacked them
    return unpack(*payload)


def unpack(archive: Path, folder: Path) -> dict[str, int]:
    """Writes the clips of an archive side by side into a folder.

    Only regular files that are named like clips are written, under the last part of their name: no archive
    can write elsewhere, and links, devices and other files in it are left out. Each clip gets its name when
    it is complete. Clips that are there with the right size, from an earlier attempt, stay as they are. A
    member that cannot be written costs only itself: the log says which and why.

    Args:
        archive: A tar file, compressed or not.
        folder: Created when missing.

    Returns:
        ``clips``, ``clip_bytes``, and ``left_out``, the number of other members.

    Raises:
        InputError: The archive is damaged, not there, or holds no clip. What comes before the damage is kept.
    """
    if not archive.is_file():
        raise InputError(f"{archive}: there is no such archive. Remedy: download it, or correct the list.")
    remove_leftovers(folder)
    names: set[str] = set()
    members = clip_bytes = 0
    largest = max(_ALWAYS_ALLOWED, _LARGEST_GROWTH * archive.stat().st_size)
    try:
        with _opened(archive) as stream:
            for member, content in _members(stream):
                members += 1
                if not _is_clip(member):
                    continue
                name = PurePosixPath(member.name).name
                if problem := _problem(name, member, largest - clip_bytes, names):
                    _log.warning("%s: %.200r is left out: %s", archive, member.name, problem)
                    continue
                _write(content, folder / name, member.size)
                names.add(name)
                clip_bytes += member.size
    except _DAMAGED as error:
        raise InputError(
            f"{archive}: it is damaged after {len(names)} clips ({error}). Remedy: download it again."
        ) from error
    if not names:
        raise InputError(f"{archive}: it holds no {CLIP_SUFFIX} file. Remedy: see what was downloaded.")
    return {"clips": len(names), "clip_bytes": clip_bytes, "left_out": members - len(names)}


def _problem(name: str, member: tarfile.TarInfo, room: int, before: Container[str]) -> str:
    """Why a clip is not written; empty if it is."""
    if not is_usable(name):
        return "its name cannot be that of a file, or is too long"
    if name in before:
        return "the archive has another clip of this name in another folder; the first one is kept"
    if member.issparse():
        return "it is a sparse file, which videos are not"
    if member.size > room:
        return "it would unpack to far more than the archive can hold"
    return ""


def _members(stream: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """All members but folders, with their content (none for links).

    ``tarfile`` takes a header that it does not understand for the end of the archive. Here only zeros are.
    """
    with tarfile.open(fileobj=_InPieces(stream), mode="r:") as tar:  # type: ignore[call-overload]
        for member in tar:
            if not member.isdir():
                yield member, (tar.extractfile(member) if member.isreg() else None) or io.BytesIO()
    zeros = 0
    while rest := stream.read(_CHUNK):  # to the end, so that the checksum of the compression is looked at
        if any(rest):
            raise tarfile.ReadError("a header in the middle makes no sense")
        zeros += len(rest)
        if zeros > _MOST_ZEROS:
            raise tarfile.ReadError("it goes on after its end")
    if zeros < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("its end is missing")


class _InPieces:
    """A stream that gives no more at once than a clip is copied in.

    ``tarfile`` reads a header in one piece, however long it says it is.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            tarfile.ReadError: So many are no piece of a clip.
        """
        if not 0 <= size <= _CHUNK:
            raise tarfile.ReadError(f"a header says it has {size} bytes")
        return self._stream.read(size)


@contextmanager
def _opened(archive: Path) -> Iterator[IO[bytes]]:
    """The archive's uncompressed bytes."""
    with archive.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not compressed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as stream:
            yield cast("IO[bytes]", stream)


def _is_clip(member: tarfile.TarInfo) -> bool:
    name = PurePosixPath(member.name).name
    return member.isreg() and name.endswith(CLIP_SUFFIX) and not is_hidden(name) and is_utf8(name)


def _write(content: IO[bytes], path: Path, size: int) -> None:
    if path.is_file() and path.stat().st_size == size:
        return
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        if file.tell() != size:
            raise tarfile.ReadError(f"{path.name} is cut off")


def _below(folder: Path) -> list[Path]:
    return list_files_below(folder, ARCHIVE_SUFFIXES)


def _listed(source: Path) -> list[Path]:
    try:
        lines = read_foreign_lines(source, "Name a folder of archives, or a list of them.")
    except InputError as error:
        raise InputError(f"kinetics.archives: {source} is neither a folder nor a list: {error}") from error
    named = [line.text for line in lines if not line.text.startswith("#")]
    strange = [line for line in named if not _is_archive(line)]
    if strange:
        raise InputError(
            f"kinetics.archives: {source} names {strange[0]!r}, which is no archive "
            f"({', '.join(ARCHIVE_SUFFIXES)}). Correct the line."
        )
    return [source.parent / (line.rpartition("/")[2] if "://" in line else line) for line in named]


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def _stem(name: str) -> str:
    return name[: -len(next(suffix for suffix in ARCHIVE_SUFFIXES if name.lower().endswith(suffix)))]
