"""The little of the H.264 byte stream that random access needs to know (ITU-T H.264, section 7.3.1)."""

from collections.abc import Iterator

_CONFIGURATION_VERSION = 1
_START_CODE = b"\x00\x00\x01"
_SLICE_TYPES = (1, 5)
"""``nal_unit_type`` of a slice of an ordinary picture and of an instantaneous refresh (IDR) picture."""


def length_size(extradata: bytes) -> int | None:
    """Bytes of the length field before each unit, from the ``avcC`` record; None for start-code streams."""
    if len(extradata) < 7 or extradata[0] != _CONFIGURATION_VERSION:
        return None
    return (extradata[4] & 0b11) + 1


def is_droppable(packet: bytes, size_bytes: int | None) -> bool:
    """Whether no other picture refers to this one (``nal_ref_idc`` of its first slice is 0).

    Args:
        packet: One access unit.
        size_bytes: Result of :func:`length_size`: bytes of the length before each unit; None if start codes
            separate them.
    """
    headers = _after_start_codes(packet) if size_bytes is None else _after_lengths(packet, size_bytes)
    for header in headers:
        if header & 0b11111 in _SLICE_TYPES:
            return (header >> 5) & 0b11 == 0
    return False


def _after_lengths(packet: bytes, size_bytes: int) -> Iterator[int]:
    """First byte of each unit."""
    position = 0
    while position + size_bytes < len(packet):
        yield packet[position + size_bytes]
        position += size_bytes + int.from_bytes(packet[position : position + size_bytes], "big")


def _after_start_codes(packet: bytes) -> Iterator[int]:
    position = packet.find(_START_CODE)
    while 0 <= position < len(packet) - len(_START_CODE):
        yield packet[position + len(_START_CODE)]
        position = packet.find(_START_CODE, position + len(_START_CODE))
