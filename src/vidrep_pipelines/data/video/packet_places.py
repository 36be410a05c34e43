"""Where in its file a packet lies, found from what the demuxer says and confirmed byte by byte."""

from pathlib import Path
from typing import Any

from vidrep_pipelines.data.video.errors import UnindexableVideoError
from vidrep_pipelines.data.video.transport_stream import SYNC, TransportStream, detect_distance

_HEADER_BYTES = 1024
"""Most bytes between where a demuxer says that a packet begins and its data: block headers of Matroska."""

_STEP_BYTES = 1 << 16
_TIME_BYTES = 4
_MOST_WRAPPED_BYTES = 1 << 26
"""Bytes of a transport stream that are searched for the end of one packet."""


class PacketPlaces:
    """Finds the byte range of each packet of a video.

    Attributes:
        transport: How the packets are wrapped; None where they lie in the file as they are.
    """

    def __init__(self, path: Path, container: Any, stream: Any, file: Any) -> None:
        self.transport: TransportStream | None = None
        self._path, self._file = path, file
        self._pid = int(stream.id) if container.format.name == "mpegts" else None

    def find(self, position: int | None, data: bytes) -> tuple[int, int]:
        """First byte and number of bytes of the range that holds a packet, wrapped or not.

        Args:
            position: Where the demuxer says that the packet begins.
            data: The packet.

        Raises:
            UnindexableVideoError: The file does not hold the packet in one piece.
        """
        try:
            if position is None or position < 0:
                raise ValueError("its packets have no positions")
            if self._pid is not None:
                return self._wrapped(position, data)
            return self._plain(position, data)
        except (ValueError, IndexError) as error:
            raise UnindexableVideoError(
                f"{self._path}: its packets cannot be addressed by byte ranges ({error})."
            ) from error

    def _plain(self, position: int, data: bytes) -> tuple[int, int]:
        self._file.seek(position)
        after = self._file.read(len(data) + _HEADER_BYTES).find(data)
        if after < 0:
            raise ValueError("this container does not store them as plain byte ranges")
        return position + after, len(data)

    def _wrapped(self, position: int, data: bytes) -> tuple[int, int]:
        self._file.seek(position)
        wrapped = self._file.read(_STEP_BYTES)
        if not wrapped.startswith(SYNC):  # a time of four bytes comes before each piece
            position, wrapped = position + _TIME_BYTES, wrapped[_TIME_BYTES:]
        if self.transport is None:
            assert self._pid is not None
            self.transport = TransportStream(self._pid, detect_distance(wrapped))
        size = self.transport.span(wrapped, len(data))
        while size is None:
            more = self._file.read(len(wrapped))
            wrapped += more
            if not more or len(wrapped) > _MOST_WRAPPED_BYTES:
                raise ValueError("the transport stream ends within one")
            size = self.transport.span(wrapped, len(data))
        if self.transport.unwrap(memoryview(wrapped)[:size]) != data:
            raise ValueError("the transport stream wraps several of them in one")
        return position, size
