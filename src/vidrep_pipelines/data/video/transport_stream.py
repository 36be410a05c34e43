"""What an MPEG transport stream wraps around the packets of a video (ISO/IEC 13818-1, 2.4.3).

The stream is cut into pieces of 188 bytes, each with a header; pieces of sound and of tables lie between
those of the video. Some devices add four bytes with a time before each piece, some sixteen against errors in
transmission after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SYNC = b"\x47"
"""The byte that each piece begins with."""

PIECE_BYTES = 188
_PIECE_DISTANCES = (188, 192, 204)
_PES_START = b"\x00\x00\x01"
_PES_HEADER_BYTES = 9


@dataclass(frozen=True)
class TransportStream:
    """How the packets of one video are wrapped.

    Attributes:
        pid: Number of the video within the transport stream.
        distance: Bytes from the start of one piece to the start of the next.
    """

    pid: int
    distance: int

    def unwrap(self, data: bytes | memoryview) -> bytes:
        """The video's bytes within whole pieces of a transport stream.

        Args:
            data: Bytes of the file, starting with a piece; what comes after the last whole piece is ignored.

        Raises:
            ValueError: The pieces are not where they should be.
        """
        return b"".join(bytes(data[begin:end]) for begin, end in self._payloads(data))

    def span(self, data: bytes | memoryview, size: int) -> int | None:
        """How many bytes of a transport stream wrap so many of the video's; None if ``data`` is too short.

        Raises:
            ValueError: The pieces are not where they should be.
        """
        gathered = 0
        for begin, end in self._payloads(data):
            gathered += end - begin
            if gathered >= size:
                return end
        return None

    def _payloads(self, data: bytes | memoryview) -> Iterator[tuple[int, int]]:
        """First byte, and the one after the last, of the video's part of each piece."""
        for start in range(0, len(data) - PIECE_BYTES + 1, self.distance):
            begin = self._payload(data, start)
            if begin is not None:
                yield begin, start + PIECE_BYTES

    def _payload(self, data: bytes | memoryview, start: int) -> int | None:
        """First byte of the video in the piece at ``start``; None if the piece holds none of it."""
        if data[start] != SYNC[0]:
            raise ValueError("a piece of the transport stream does not begin where it should")
        pid = (data[start + 1] & 0x1F) << 8 | data[start + 2]
        has_payload = data[start + 3] & 0x10
        if pid != self.pid or not has_payload:
            return None
        begin = start + 4
        if data[start + 3] & 0x20:  # a field of other data comes first, with its length in front
            begin += 1 + data[begin]
        starts_packet = data[start + 1] & 0x40
        if starts_packet and bytes(data[begin : begin + 3]) == _PES_START:
            if begin + _PES_HEADER_BYTES > start + PIECE_BYTES:
                raise ValueError("a packet's header goes over the end of its piece")
            begin += _PES_HEADER_BYTES + data[begin + _PES_HEADER_BYTES - 1]
        return min(begin, start + PIECE_BYTES)


def detect_distance(head: bytes) -> int:
    """The distance from piece to piece.

    Args:
        head: Bytes of the file from the start of a piece on.

    Raises:
        ValueError: There are no pieces in any usual distance.
    """
    for distance in _PIECE_DISTANCES:
        if len(head) > distance and all(byte == SYNC[0] for byte in head[: 4 * distance : distance]):
            return distance
    raise ValueError("no pieces of a transport stream were found")
