"""The little of the H.264 byte stream that random access needs to know (ITU-T H.264, section 7.3.1)."""

_CONFIGURATION_VERSION = 1
_SLICE_TYPES = (1, 5)
"""``nal_unit_type`` of a slice of an ordinary picture and of an instantaneous refresh (IDR) picture."""


def length_size(extradata: bytes) -> int | None:
    """Bytes of the length field before each unit, from the ``avcC`` record; None for start-code streams."""
    if len(extradata) < 7 or extradata[0] != _CONFIGURATION_VERSION:
        return None
    return (extradata[4] & 0b11) + 1


def is_droppable(packet: bytes, size_bytes: int) -> bool:
    """Whether no other picture refers to this one (``nal_ref_idc`` of its first slice is 0).

    Args:
        packet: One access unit, each of whose units is preceded by its length.
        size_bytes: Result of :func:`length_size`.
    """
    position = 0
    while position + size_bytes < len(packet):
        length = int.from_bytes(packet[position : position + size_bytes], "big")
        header = packet[position + size_bytes]
        if header & 0b11111 in _SLICE_TYPES:
            return (header >> 5) & 0b11 == 0
        position += size_bytes + length
    return False
