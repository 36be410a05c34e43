"""From decoded frames to RGB pictures."""

import zlib
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vidrep_pipelines.data.video.probe import quarter_turns


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


class PictureConverter:
    """Converts frames to RGB with one kept context; building one per frame takes nine times longer."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def upright_rgb(self, frame: Any, rotation: int) -> NDArray[np.uint8]:
        """Returns (H, W, 3), turned counterclockwise by ``rotation`` degrees."""
        converted = self._reformatter.reformat(frame, format="rgb24", threads=1)
        plane: Any = converted.planes[0]
        # A view of the frame's memory, whose rows are padded; the caller makes the only copy.
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: converted.height]
        picture = rows[:, : 3 * converted.width].reshape(converted.height, converted.width, 3)
        turns = quarter_turns(rotation)
        return np.rot90(picture, turns) if turns else picture
