"""What a video file says about itself, without decoding more than its first frame."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidrep_pipelines.data.video.container import DECODE_ERRORS, OpenedVideo, open_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.matroska_tags import tagged_seconds


@dataclass(frozen=True)
class VideoFacts:
    """One row about a video file.

    Attributes:
        width: Pixels, as displayed (after rotation).
        height: Pixels, as displayed (after rotation).
        frames: Number of frames that the container claims; 0 if it does not say.
        frames_per_second: Average rate; 0 if unknown.
        duration_seconds: Duration of the video stream; 0 if unknown.
        codec: FFmpeg's name of the decoder, for example ``"h264"``.
        rotation: Degrees counterclockwise by which a player turns the stored frames.
        has_audio: Whether there is a sound track.
        pixel_format: FFmpeg's name, for example ``"yuv420p"``.
    """

    width: int
    height: int
    frames: int
    frames_per_second: float
    duration_seconds: float
    codec: str
    rotation: int
    has_audio: bool
    pixel_format: str


def probe(path: Path) -> VideoFacts:
    """Reads the header and decodes the first frame, which carries size, pixel format and rotation.

    That a file can be probed does not mean that it is healthy: only decoding all of it shows that.

    Raises:
        UnreadableVideoError: The file cannot be opened, or not even its first frame can be decoded.
    """
    with open_video(path) as opened:
        frame = first_frame(opened)
        width, height = displayed_size(frame.width, frame.height, frame.rotation)
        return VideoFacts(
            width=width,
            height=height,
            frames=opened.stream.frames,
            frames_per_second=float(claimed_rate(opened) or 0),
            duration_seconds=claimed_duration(opened),
            codec=opened.stream.codec_context.name,
            rotation=frame.rotation,
            has_audio=bool(opened.container.streams.audio),
            pixel_format=frame.format.name,
        )


def first_frame(opened: OpenedVideo) -> Any:
    """Decodes the first frame.

    Raises:
        UnreadableVideoError: There is none.
    """
    try:
        frame = next(opened.container.decode(opened.stream), None)
    except DECODE_ERRORS as error:
        raise UnreadableVideoError(f"{opened.path}: its first frame cannot be decoded ({error}).") from error
    if frame is None:
        raise UnreadableVideoError(f"{opened.path}: it has a video stream without a single frame.")
    return frame


def quarter_turns(rotation: int) -> int:
    """Counterclockwise quarter turns (0 to 3) nearest to ``rotation`` degrees, as ``numpy.rot90`` counts."""
    return round(rotation / 90) % 4


def displayed_size(width: int, height: int, rotation: int) -> tuple[int, int]:
    """The (width, height) that a viewer sees of frames stored as ``width`` x ``height``."""
    return (height, width) if quarter_turns(rotation) % 2 else (width, height)


def claimed_rate(opened: OpenedVideo) -> Fraction | None:
    """Frames per second according to the container."""
    rate = opened.stream.average_rate or opened.stream.guessed_rate
    return Fraction(rate) if rate else None


def claimed_duration(opened: OpenedVideo) -> float:
    """Seconds of video according to the container; 0 if it does not say."""
    stream = opened.stream
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return tagged_seconds(stream) or (opened.container.duration or 0) / 1e6
