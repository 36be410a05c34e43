"""Frames through decord: random access to files without a packet index."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.probe import first_frame
from vidrep_pipelines.data.video.stored_video import locate

_TRUSTED_CONTAINER = "matroska"
_TRUSTED_CODECS = frozenset({"h264", "hevc"})
_TRUSTED_PIXELS = frozenset({"yuv420p", "yuvj420p"})


def decord_is_exact(path: Path) -> bool:
    """Whether decord is known to return the frames that sequential decoding returns.

    It is not for edit lists (it counts hidden frames and repeats others), hidden reference frames (VP8, VP9)
    and more than 8 bits; and it is not installed on every platform.

    Raises:
        UnreadableVideoError: The file cannot be opened, or not even its first frame can be decoded.
    """
    with open_video(path) as opened:
        pixels = first_frame(opened).format.name
        return (
            find_spec("decord") is not None
            and opened.container.format.name.startswith(_TRUSTED_CONTAINER)
            and opened.stream.codec_context.name in _TRUSTED_CODECS
            and pixels in _TRUSTED_PIXELS
        )


def read_with_decord(path: Path, ranks: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """Reads frames in one call. The reader is dropped at once: kept readers go on decoding and buffering.

    Args:
        path: Any video that decord opens.
        ranks: Ascending, without repetition, not negative.

    Returns:
        (H, W, 3) per rank, upright.

    Raises:
        IndexError: The video is shorter.
        UnreadableVideoError: decord cannot read it.
    """
    import decord  # noqa: PLC0415  (not available on every platform)

    try:
        with _source(path) as source:
            reader = decord.VideoReader(source, num_threads=1)
            count = len(reader)
            frames = reader.get_batch(list(ranks)).asnumpy() if ranks[-1] < count else None
    except (decord.DECORDError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
        raise UnreadableVideoError(f"{path}: decord cannot read it ({reason}).") from error
    if frames is None:
        raise IndexError(f"{path} has {count} frames, there is no frame {ranks[-1]}.")
    return dict(zip(ranks, frames, strict=True))


@contextmanager
def _source(path: Path) -> Iterator[str | BinaryIO]:
    """What decord opens: a path, or the bytes of a member of an archive, which it takes into memory."""
    try:
        stored = locate(path)
    except FileNotFoundError:
        yield str(path.absolute())  # decord says what is wrong
        return
    if stored.file == path:
        yield str(path.absolute())
    else:
        with stored.open() as file:
            yield file
