"""Where the bytes of a video lie: in a file of their own, or in a stretch of a tar archive.

A video inside an archive is addressed like a file in a folder: ``shards/00003-of-00016.tar/pouring/a.mp4``.
"""

import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrep_pipelines.data.video.errors import UnreadableVideoError


@dataclass(frozen=True)
class StoredVideo:
    """The bytes of one video.

    Attributes:
        file: The file that holds them, a video or an archive.
        start: The first of them.
        bytes: How many they are.
    """

    file: Path
    start: int
    bytes: int

    def open(self) -> io.BufferedReader:
        """Opens the video for reading; positions count from its first byte."""
        return io.BufferedReader(_Window(self, os.open(self.file, os.O_RDONLY)))


def holding_file(path: Path) -> Path:
    """The file that holds the video at ``path``: usually that path itself, else the archive above it."""
    if not path.exists():
        for parent in path.parents:
            if parent.is_file():
                return parent
    return path


def locate(path: Path) -> StoredVideo:
    """Finds the bytes of the video at ``path``; in an archive, by going through the headers of its members.

    Raises:
        UnreadableVideoError: The archive has no such member, or is none.
        OSError: There is no such file.
    """
    file = holding_file(path)
    if file == path:
        return StoredVideo(file, 0, file.stat().st_size)
    wanted = path.relative_to(file).as_posix()
    try:
        with tarfile.open(file, "r:") as archive:
            for member in archive:
                if member.name == wanted and member.isreg():
                    return StoredVideo(file, member.offset_data, member.size)
    except tarfile.TarError as error:
        raise UnreadableVideoError(f"{file} is no uncompressed tar archive, or damaged ({error}).") from error
    raise UnreadableVideoError(f"{file} holds no file {wanted}.")


class _Window(io.RawIOBase):
    """A stretch of a file as a file; reading moves no position that anybody else could see."""

    def __init__(self, stored: StoredVideo, descriptor: int) -> None:
        self._stored, self._descriptor, self._position = stored, descriptor, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(self._stored.bytes - self._position, 0)]
        count = os.preadv(self._descriptor, [view], self._stored.start + self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._stored.bytes}[whence]
        self._position = max(origin + offset, 0)
        return self._position

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
