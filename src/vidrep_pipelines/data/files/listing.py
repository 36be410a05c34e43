"""Finding the videos below a folder, on a disk or in an object store."""

import logging
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.item_id import BOOKKEEPING, is_usable
from vidrep_pipelines.common.text import composed
from vidrep_pipelines.data.files.folders import Entry, Folders, LocalFolders, Unlisted, leave_out
from vidrep_pipelines.data.tables.table import (
    ROWS_PER_BATCH,
    LazyTable,
    Rows,
    as_table,
    joined_text,
    schema_of,
)

VIDEO_SUFFIXES = frozenset(
    {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv", ".3gp"}
)

LISTING_COLUMNS = {
    "id": "string",
    "class_name": "string",
    "path": "string",
    "bytes": "int64",
    "mtime_ns": "int64",
    "etag": "string",
}
"""Columns of a listing, those of :class:`ListedVideo`."""

_BOOKKEEPING = PurePosixPath(BOOKKEEPING)
_UNFINISHED_STEMS = (".part", ".temp", ".tmp", "~")


_log = logging.getLogger(__name__)


class ListedVideo(NamedTuple):
    """One video file found.

    Attributes:
        id: Name of the clip in every later step: the relative path without its suffix. Files of one folder
            that differ by suffix only keep it.
        class_name: First folder below the root, in composed letters: folders whose names only differ in how
            accents are stored are one class. Empty for files in the root itself.
        path: Path relative to the root, with ``/``.
        bytes: Size; 0 for a broken link.
        mtime_ns: Time of the last change in nanoseconds; 0 for a broken link, and where it is not known.
        etag: The object store's mark of the content; empty on disks.
    """

    id: str
    class_name: str
    path: str
    bytes: int
    mtime_ns: int
    etag: str


@dataclass(frozen=True)
class Listing:
    """What is below a folder.

    Attributes:
        videos: One row per video (``LISTING_COLUMNS``), sorted by id; ids are unique.
        unlisted: What had to be left out, and why.
    """

    videos: LazyTable
    unlisted: list[Unlisted]


def list_videos(root: str | Path, suffixes: Collection[str] = VIDEO_SUFFIXES) -> Listing:
    """Lists all videos below ``root``: about 100 bytes of memory for each.

    Args:
        root: A local folder, or the address of one that fsspec knows, such as ``s3://bucket/folder``.
        suffixes: Lower-case suffixes of videos, with the dot.

    Raises:
        InputError: ``root`` is no readable folder, or there is no video below it.
        MissingExtraError: The file system's driver is not installed.
    """
    folders = folders_at(root)
    table = _packed(scan_videos(folders, suffixes))
    if not len(table):
        raise InputError(
            f"ingest.root: there is no video below {root} (looked for {', '.join(sorted(suffixes))}). "
            "Put videos there, in any depth of folders, or set the parameter to another folder."
        )
    videos = LazyTable(table.schema, lambda: table.to_batches(max_chunksize=ROWS_PER_BATCH))
    return Listing(videos, folders.unlisted)


def with_absolute_paths(videos: Rows, root: str | Path) -> LazyTable:
    """The same rows with paths that begin with the root."""
    table = as_table(videos)
    above = f"{root}".rstrip("/") if "://" in str(root) else Path(root).absolute().as_posix().rstrip("/")
    position, field = table.schema.get_field_index("path"), table.schema.field("path")

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in table.batches():
            path = joined_text(f"{above}/", batch["path"]).cast(field.type)
            yield batch.set_column(position, field, path)

    return LazyTable(table.schema, batches)


def folders_at(root: str | Path) -> Folders:
    """The folders below a local path or an address.

    Raises:
        InputError: ``root`` is no readable folder.
        MissingExtraError: The file system's driver is not installed.
    """
    if "://" not in str(root):
        return LocalFolders(Path(root))
    from vidrep_pipelines.data.files.remote_folders import RemoteFolders  # noqa: PLC0415  (fsspec is slow to import)

    return RemoteFolders(str(root))


def scan_videos(folders: Folders, suffixes: Collection[str] = VIDEO_SUFFIXES) -> Iterator[ListedVideo]:
    """Walks through all folders and yields the videos in ascending order of their ids.

    Linked folders are followed, each real folder once, so that loops end; what they hold comes last. Hidden
    and unfinished files are left out, and what is neither a file nor a link to one.
    """
    linked = deque([PurePosixPath()])
    while linked:
        yield from _walk(folders, linked.popleft(), suffixes, linked)


def _walk(
    folders: Folders, folder: PurePosixPath, suffixes: Collection[str], linked: deque[PurePosixPath]
) -> Iterator[ListedVideo]:
    """The videos below one folder; links to folders are put off.

    A folder is listed under its own name even if a link to it comes earlier in the order.
    """
    entries = folders.entries(folder, lambda name: _is_video(name, suffixes))
    # All ids below the folder "a" begin with "a/": with this key, files and folders come in order of the ids.
    ordered: list[tuple[str, ListedVideo | None]] = [
        *((video.id, video) for video in _videos(folder, entries)),
        *((f"{folder / entry.name}/", None) for entry in entries if entry.kind == "folder"),
    ]
    for key, video in sorted(ordered, key=lambda pair: pair[0]):
        if video is None:
            yield from _below(folders, PurePosixPath(key), suffixes, linked)
        elif is_usable(video.id):
            yield video
        else:
            leave_out(folders, PurePosixPath(video.path), "files cannot be named after it; rename it")
    linked.extend(folder / entry.name for entry in entries if entry.kind == "link")


def _below(
    folders: Folders, folder: PurePosixPath, suffixes: Collection[str], linked: deque[PurePosixPath]
) -> Iterator[ListedVideo]:
    """The videos below one folder; a class without any is told, for it would only be missed much later."""
    known = len(folders.unlisted), len(linked)
    videos = _walk(folders, folder, suffixes, linked)
    first = next(videos, None)
    if first is not None:
        yield first
        yield from videos
    elif len(folder.parts) == 1 and known == (len(folders.unlisted), len(linked)) and folder != _BOOKKEEPING:
        _log.warning("There is no video in the folder %s.", folder)


def _videos(folder: PurePosixPath, entries: Iterable[Entry]) -> Iterator[ListedVideo]:
    files = [entry for entry in entries if entry.kind == "file"]
    stems = Counter(PurePosixPath(entry.name).stem for entry in files)
    names = {entry.name for entry in files}
    for entry in files:
        stem = PurePosixPath(entry.name).stem
        # A stem may also equal another file's whole name ("a.mp4" beside "a.mp4.mov").
        unique = stems[stem] == 1 and stem not in names
        yield ListedVideo(
            id=str(folder / (stem if unique else entry.name)),
            class_name=composed(folder.parts[0]) if folder.parts else "",
            path=str(folder / entry.name),
            bytes=entry.bytes,
            mtime_ns=entry.mtime_ns,
            etag=entry.etag,
        )


def _is_video(name: str, suffixes: Collection[str]) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in suffixes and not path.stem.endswith(_UNFINISHED_STEMS)


def _packed(videos: Iterable[ListedVideo]) -> pa.Table:
    """The rows as columns, sorted by id."""
    schema = schema_of(LISTING_COLUMNS)
    remaining, batches = iter(videos), []
    while rows := list(islice(remaining, ROWS_PER_BATCH)):
        columns = zip(zip(*rows, strict=True), schema.types, strict=True)
        arrays = [pa.array(values, kind) for values, kind in columns]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    table = pa.Table.from_batches(batches, schema)
    ids = table["id"]
    ascending = len(ids) < 2 or pc.all(pc.less(ids[:-1], ids[1:])).as_py()
    return table if ascending else table.take(pc.sort_indices(ids))  # only linked folders are out of order
