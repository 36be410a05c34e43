"""Video files as decoders need them: on a local disk."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.items import probe_item, resize_item
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import Fact

_CHUNK = 1 << 20


def probe_source(address: str, outputs: Mapping[str, Path]) -> dict[str, Fact]:
    """:func:`~vidrep_pipelines.data.video.items.probe_item` for a local or remote video."""
    with local_copy(address) as path:
        return probe_item(path, outputs)


def resize_source(payload: tuple[str, ResizeConfig], outputs: Mapping[str, Path]) -> dict[str, Fact]:
    """:func:`~vidrep_pipelines.data.video.items.resize_item` for a local or remote video."""
    address, config = payload
    with local_copy(address) as path:
        return resize_item((path, config), outputs)


@contextmanager
def local_copy(address: str) -> Iterator[str]:
    """Gives a local path with the content of a file; local files are not copied.

    A remote file is fetched whole, once, in one stream: a decoder that reads through the network asks for
    hundreds of small pieces, and a lost connection would look like a damaged video. The copy has no name in
    any folder, so that nothing is left of it when the process is killed.

    Args:
        address: Local path, or an address that fsspec knows.

    Raises:
        InputError: The file cannot be fetched.
        UnreadableVideoError: Raised by the caller's work on the copy; it names the address instead.
    """
    if "://" not in address:
        yield address
        return
    with tempfile.TemporaryFile() as copy:
        _fetch(address, copy)
        path = f"/dev/fd/{copy.fileno()}"
        try:
            yield path
        except UnreadableVideoError as error:
            raise UnreadableVideoError(str(error).replace(path, address)) from error


def _fetch(address: str, copy: IO[bytes]) -> None:
    from vidrep_pipelines.data.files.remote_folders import file_system  # noqa: PLC0415  (local runs need no fsspec)

    files, path = file_system(address)
    try:
        with files.open(path, "rb", cache_type="none") as source:
            shutil.copyfileobj(source, copy, _CHUNK)
    except Exception as error:  # every file system has its own errors
        raise InputError(f"{address}: it cannot be fetched: {error}.") from error
    copy.seek(0)
