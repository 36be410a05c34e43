"""Folders in object stores and on servers, through fsspec."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from vidrep_pipelines.common.errors import InputError, MissingExtraError
from vidrep_pipelines.common.extras import installation
from vidrep_pipelines.common.uri import without_credentials
from vidrep_pipelines.data.files.folders import Entry, Unlisted, leave_out
from vidrep_pipelines.data.files.foreign_listing import is_hidden

_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
_ETAGS = ("ETag", "etag")


class RemoteFolders:
    """The folders below an address.

    Args:
        address: One such as ``s3://bucket/folder``. Keys and end points come from the environment, as the
            driver expects them (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ...).

    Raises:
        InputError: There is no such folder, it cannot be reached, or the address holds a password.
        MissingExtraError: The file system's driver is not installed.
    """

    def __init__(self, address: str) -> None:
        self.unlisted: list[Unlisted] = []
        self._files, self._root = file_system(address)
        self._files.invalidate_cache()
        try:
            listable = self._files.isdir(self._root)
        except Exception as error:  # every file system has its own errors
            raise InputError(f"ingest.root: {address} cannot be listed: {error}.") from error
        if not listable:
            raise InputError(
                f"ingest.root: there is no folder {address}. Correct the parameter, or the keys in the "
                "environment if it should be visible."
            )

    def entries(self, folder: PurePosixPath, wanted: Callable[[str], bool]) -> list[Entry]:
        """See :class:`~vidrep_pipelines.data.files.folders.Folders`."""
        place = self._root if folder == PurePosixPath() else f"{self._root.rstrip('/')}/{folder}"
        try:
            infos = self._files.ls(place, detail=True)
        except Exception as error:  # every file system has its own errors
            leave_out(self, folder, f"the folder cannot be read: {error}")
            return []
        # A store without real folders may hold an empty object with the name of the folder itself.
        inside = [info for info in infos if info["name"].strip("/") != place.strip("/")]
        described = (_described(info, wanted) for info in inside)
        return [entry for entry in described if entry is not None]


def fetch_files(address: str, folder: Path, endings: tuple[str, ...]) -> Path:
    """Copies a file with those beside it that differ in their ending, or a folder, to a local disk.

    Args:
        address: A file or a folder, such as ``hf://user/model`` or ``s3://bucket/folder/model.pth``.
        folder: Receives the files, under their names below the folder that they lie in.
        endings: Of the names of files that are copied.

    Returns:
        Where the file, or the folder, is now.

    Raises:
        InputError: There is no such place, it cannot be reached, or the address holds a password.
        MissingExtraError: The file system's driver is not installed.
    """
    files, root = file_system(address)
    try:
        is_file = files.isfile(root)
        source = root.rstrip("/").rpartition("/")[0] if is_file else root.rstrip("/")
        start = root.rpartition(".")[0] if is_file else source
        found = files.find(source, maxdepth=1 if is_file else None)
        names = [name for name in found if name.startswith(start) and name.endswith(endings)]
        for name in names:
            target = folder / PurePosixPath(name).relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(name, str(target))
    except Exception as error:  # every file system has its own errors
        raise InputError(f"{address}: it cannot be fetched: {error}.") from error
    if not names:
        raise InputError(f"{address}: there is nothing there. Remedy: correct the address.")
    return folder / PurePosixPath(root).name if is_file else folder


def file_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Raises:
        InputError: No file system has this kind of address, or it holds a password.
        MissingExtraError: The driver is not installed.
    """
    if without_credentials(address) != address:
        raise InputError(
            f"{without_credentials(address)}: addresses with a password would end up in tables and logs. "
            "Remedy: give keys and passwords to the file system's driver through the environment."
        )
    try:
        files, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise MissingExtraError(
            f"{address}: {error}. Remedy: for S3 {installation('remote')}, else the driver that the message "
            "names."
        ) from error
    except ValueError as error:
        raise InputError(f"{address}: {error}. Remedy: correct the address.") from error
    return files, path


def _described(info: dict[str, Any], wanted: Callable[[str], bool]) -> Entry | None:
    name = info["name"].rstrip("/").rpartition("/")[2]
    if is_hidden(name):
        return None
    if info["type"] == "directory":
        return Entry(name, "folder")
    if not wanted(name):
        return None
    etag = next((str(info[key]).strip('"') for key in _ETAGS if info.get(key)), "")
    return Entry(name, "file", int(info.get("size") or 0), _nanoseconds(info), etag)


def _nanoseconds(info: dict[str, Any]) -> int:
    for key in _TIMES:
        value = info.get(key)
        if isinstance(value, datetime):
            return int(value.timestamp()) * 10**9 + value.microsecond * 1000
        if isinstance(value, int | float):
            return int(value * 10**9)
    return 0
