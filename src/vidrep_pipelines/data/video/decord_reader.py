"""Frames through decord, for those who ask for it by name.

It is not exact: from files cut by an edit list it counts hidden frames and repeats others; from files with
open groups of pictures, or with hidden reference frames, it returns other frames when few are asked for; more
than 8 bits per sample are converted differently.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import MissingExtraError
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.stored_video import locate


def read_with_decord(path: Path, ranks: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """Reads frames in one call. The reader is dropped at once: kept readers go on decoding and buffering.

    Args:
        path: Any video that decord opens.
        ranks: Ascending, without repetition, not negative.

    Returns:
        (H, W, 3) per rank, upright.

    Raises:
        IndexError: The video is shorter.
        MissingExtraError: decord is not installed, as there is none for this platform.
        UnreadableVideoError: decord cannot read it.
    """
    try:
        import decord  # noqa: PLC0415  (not available on every platform)
    except ImportError as error:
        raise MissingExtraError('decord is not installed here. Use reader="auto".') from error

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
