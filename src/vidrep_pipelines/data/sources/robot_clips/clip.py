"""What all readers of clips with instructions share."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image
from vidrep_pipelines.data.files.foreign_listing import size_and_time
from vidrep_pipelines.data.frame_store.episode import DamagedViewError, EpisodeSource, EpisodeView, Segment
from vidrep_pipelines.data.frame_store.video_episode import healthy_pictures
from vidrep_pipelines.data.video.container import DECODE_ERRORS, open_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.probe import claimed_rate

TRAIN, VALIDATION, TEST = "train", "validation", "test"

Rows = NDArray[np.float32]
"""(T, N): one row of numbers per step."""


class RobotClip(EpisodeSource, Protocol):
    """A clip with an instruction: small and picklable."""

    @property
    def robot(self) -> str:
        """Name of the data set that it is from."""

    @property
    def split(self) -> str | None:
        """``train``, ``validation`` or ``test``; none if the release does not say."""


def stamp_of(paths: Iterable[Path]) -> str:
    """Tells versions of files apart by their sizes and times; where they lie does not count."""
    return digest_of([size_and_time(path) for path in paths])


def path_inside(root: Path, relative: object, what: str) -> Path:
    """A path that an annotation gives, below the folder that it may point into.

    Raises:
        InputError: It is no relative path, or leads out of the folder.
    """
    parts = PurePosixPath(relative).parts if isinstance(relative, str) else ()
    if not parts or parts[0] == "/" or ".." in parts:
        raise InputError(f"{what} is {relative!r}, where a path inside {root.name} is expected.")
    return root.joinpath(*parts)


def instruction_segments(texts: object, frames: int, what: str) -> tuple[Segment, ...]:
    """One segment per instruction, each over the whole clip; the first text is the one that training uses.

    Args:
        texts: A text, or a list of texts.
        frames: Frames of the clip.
        what: Where they are from, for the error.

    Raises:
        InputError: There is none, or one is empty.
    """
    listed = [texts] if isinstance(texts, str) else texts
    if not isinstance(listed, Sequence) or not listed:
        raise InputError(
            f"{what} has no instruction. Remedy: write one into the file, or leave the clip out."
        )
    blank = [text for text in listed if not isinstance(text, str) or not text.strip()]
    if blank:
        raise InputError(
            f"{what} has the instruction {blank[0]!r}, which is empty or no text. Remedy: write one into the "
            "file, or leave the clip out."
        )
    distinct = dict.fromkeys(text.strip() for text in listed)
    return tuple(Segment(0, frames, text) for text in distinct)


def number_rows(values: object, what: str) -> Rows:
    """(T, N) float32 of a list of lists, or of an array; (T, 1) of a list of numbers.

    Raises:
        InputError: Rows are of different lengths, no numbers, or not finite.
    """
    try:
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and is refused below
            rows = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what}: rows of numbers of one length are expected ({error}).") from error
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"{what}: rows of numbers are expected, this is an array {rows.shape}.")
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise InputError(
            f"{what}: row {int(bad.argmax())} of {len(rows)} is not finite. Remedy: leave the clip out."
        )
    return rows


def require_length(rows: Rows, lengths: Sequence[int], what: str) -> None:
    """Checks how many rows there are.

    Raises:
        InputError: Not one of these numbers.
    """
    if len(rows) not in lengths:
        wanted = " or ".join(str(length) for length in lengths)
        raise InputError(
            f"{what} has {len(rows)} rows, where {wanted} are expected: states and frames do not belong "
            "together. Remedy: download the clip again, or leave it out."
        )


def video_claims(path: Path) -> tuple[int, float | None]:
    """Number of frames by the header, 0 if it does not say (WebM), and frames per second.

    Raises:
        UnreadableVideoError: The file cannot be opened.
    """
    with open_video(path) as opened:
        rate = claimed_rate(opened)
        return int(opened.stream.frames), float(rate) if rate else None


def packets_in(path: Path) -> int:
    """Number of packets, which is that of the frames unless the video is damaged; none is decoded.

    Raises:
        UnreadableVideoError: The file cannot be opened.
    """
    count = 0
    with open_video(path) as opened, suppress(*DECODE_ERRORS):
        for packet in opened.container.demux(opened.stream):
            count += bool(packet.size)
    return count


def video_view(path: Path, camera: int, frames: int, trim: bool = False) -> EpisodeView:
    """A camera's video file, opened when its first picture is taken.

    Args:
        path: The file.
        camera: Number of the camera.
        frames: How many frames it should have; 0 if nobody says.
        trim: Whether a video of another length is used as far as both go.
    """
    return EpisodeView(camera, frames, _video_pictures(path, frames, trim))


def _video_pictures(path: Path, frames: int, trim: bool) -> Iterator[Pixels]:
    try:
        with open_video(path) as opened:
            yield from counted(healthy_pictures(opened), frames, path, trim)
    except UnreadableVideoError as error:  # the other cameras may be whole
        raise DamagedViewError(str(error)) from error


def counted(pictures: Iterator[Pixels], frames: int, path: Path, trim: bool = False) -> Iterator[Pixels]:
    """The pictures, and a check that there are as many as was said.

    Raises:
        DamagedViewError: After the last one that can be used, if there are fewer or more.
    """
    count = 0
    for picture in pictures:
        if frames and count == frames:
            if trim:
                return
            raise DamagedViewError(f"{path.name} has more than the {frames} frames that belong to it")
        yield picture
        count += 1
    if count < frames and not trim:
        raise DamagedViewError(f"{path.name} has {count} frames, {frames} belong to it")


def decoded_image(source: Path | bytes, what: str) -> Pixels:
    """A compressed picture as (H, W, 3) uint8 RGB.

    Raises:
        DamagedViewError: It is missing, damaged, too large, or of another format.
    """
    try:
        with opened_image(source) as image:
            return np.asarray(image.convert("RGB"))
    except (ForeignImageError, FileNotFoundError) as error:
        raise DamagedViewError(f"{what} is no whole picture ({error})") from error
