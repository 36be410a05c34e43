"""A number that tells one decoded picture from another."""

import zlib
from typing import Any

import numpy as np


def picture_checksum(frame: Any) -> int:
    """CRC-32 of a decoded frame's samples, size and pixel format, before any conversion.

    Args:
        frame: A frame as the decoder gives it.
    """
    sample_bytes = 2 if max(component.bits for component in frame.format.components) > 8 else 1
    checksum = zlib.crc32(f"{frame.width}x{frame.height} {frame.format.name}".encode())
    for plane in frame.planes:
        # Rows are padded; what lies in the padding is nobody's picture.
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
        checksum = zlib.crc32(rows[:, : plane.width * sample_bytes].tobytes(), checksum)
    return checksum
