"""Opening a video file: one place that turns every way of failing into a readable reason."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from vidrep_pipelines.common.foreign_file import disguise_in
from vidrep_pipelines.common.open_files import TooManyOpenFilesError, is_out_of_descriptors
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.film import film_stream
from vidrep_pipelines.data.video.stored_video import StoredVideo, locate

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "m4v",
    "h261",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "av1",
    "obu",
    "ivf",
    "vc1",
    "mjpeg",
    "flv",
    "asf",
    "ogg",
    "gif",
    "apng",
    "mxf",
    "nut",
    "gxf",
    "dv",
    "rm",
    "wtv",
    "yuv4mpegpipe",
)
"""Names of FFmpeg's demuxers for files that hold pictures and sound themselves."""

OPENING_OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
"""What FFmpeg is told when it opens a file: these formats, and nothing outside the file system."""

_LISTS = (
    (b"ffconcat", "a list of files (ffconcat)"),
    (b"#EXTM3U", "a playlist (HLS, M3U)"),
    (b"[playlist]", "a playlist (PLS)"),
    (b"<?xml", "an XML text, as playlists are (DASH)"),
    (b"<MPD", "a playlist (DASH)"),
    (b"<ASX", "a playlist (ASX)"),
    (b"v=0", "a session description (SDP)"),
)


def list_kind(head: bytes) -> str:
    """What a file is that points to others instead of holding a video; empty if it is none.

    Args:
        head: Its first bytes.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((kind for mark, kind in _LISTS if start.startswith(mark.lower())), "")


DECODE_ERRORS: tuple[type[Exception], ...] = (av.FFmpegError, EOFError, ValueError)
"""What PyAV raises for damaged data; its errors are also OSErrors or ValueErrors of the matching kind."""

MOST_PIXELS = 1 << 25
"""Most pixels of a picture: 8192 x 4096. A few bytes that promise more would fill the memory with nothing."""

DECODING_OPTIONS = {"max_pixels": str(MOST_PIXELS)}
"""What every decoder is told, for pictures that grow on the way."""

_OPEN_ERRORS: tuple[type[Exception], ...] = (*DECODE_ERRORS, OSError)
_HEADER_BYTES = 512
_REMEDY = "Replace the file or remove it from the folder."


@dataclass(frozen=True)
class OpenedVideo:
    """An open container and the video stream to read.

    Attributes:
        path: The file.
        container: PyAV's input container.
        stream: The stream of moving pictures that is the film, see :func:`.film_stream.film_stream`.
    """

    path: Path
    container: Any
    stream: Any


@contextmanager
def open_video(path: Path) -> Iterator[OpenedVideo]:
    """Opens ``path`` for decoding by one thread, and closes it.

    Several processes decode side by side, one per core; threads inside a decoder would only add work.

    Raises:
        UnreadableVideoError: No such file, a folder, no permission, empty, no video, or a broken header.
        TooManyOpenFilesError: The process has no descriptor left; the video is not at fault.
    """
    path = Path(path)
    stored = _located(path)
    with ExitStack() as opening:
        # The absolute path keeps "a:b.mp4" from being taken for a protocol, and the options keep a playlist
        # that is disguised as a video from reaching other files and the network.
        source: Any = str(path.absolute())
        try:
            if stored.file != path:
                source = opening.enter_context(stored.open())
            container = opening.enter_context(av.open(source, options=dict(OPENING_OPTIONS)))
        except _OPEN_ERRORS as error:
            if is_out_of_descriptors(error):
                raise TooManyOpenFilesError from error
            raise UnreadableVideoError(f"{path}: {_reason(stored, error)}") from error
        stream = film_stream(container)
        if stream is None:
            raise UnreadableVideoError(
                f"{path}: it holds no video stream, only sound or other data. {_REMEDY}"
            )
        if stream.codec_context is None:
            raise UnreadableVideoError(
                f"{path}: FFmpeg has no decoder for its video stream: the codec is unknown, or its name in "
                f"the header is damaged. {_REMEDY}"
            )
        _require_reasonable_size(path, stream.codec_context)
        stream.codec_context.options = dict(DECODING_OPTIONS)
        stream.codec_context.thread_count = 1
        stream.thread_type = "SLICE"
        yield OpenedVideo(path, container, stream)


def _require_reasonable_size(path: Path, context: Any) -> None:
    if context.width * context.height > MOST_PIXELS:
        raise UnreadableVideoError(
            f"{path}: its header promises {context.width} x {context.height} pixels, more than the "
            f"{MOST_PIXELS} that are read: it is damaged, or meant to fill the memory. {_REMEDY}"
        )


def _located(path: Path) -> StoredVideo:
    """Finds the bytes, and excludes what needs no decoder to be recognized."""
    try:
        if path.is_dir():
            raise UnreadableVideoError(f"{path}: it is a folder, not a video file.")
        stored = locate(path)
    except FileNotFoundError as error:
        raise UnreadableVideoError(f"{path}: there is no such file (or it is a broken link).") from error
    except OSError as error:
        if is_out_of_descriptors(error):
            raise TooManyOpenFilesError from error
        raise UnreadableVideoError(
            f"{path}: {error.strerror}. Check the path and its permissions."
        ) from error
    if stored.bytes == 0:
        raise UnreadableVideoError(f"{path}: the file is empty (0 bytes). {_REMEDY}")
    return stored


def _reason(stored: StoredVideo, error: Exception) -> str:
    """Looks at the first bytes to say more than FFmpeg's "invalid data"."""
    try:
        with stored.open() as file:
            head = file.read(_HEADER_BYTES)
    except OSError as refusal:
        return f"it cannot be opened: {refusal.strerror}. {_REMEDY}"
    if head[4:8] == b"ftyp":
        return f"its MP4 header (moov) is missing or damaged, as after an interrupted download. {_REMEDY}"
    if disguise := disguise_in(head):
        return str(disguise)
    if kind := list_kind(head):
        return f"it is {kind}, which holds no video itself. {_REMEDY}"
    if _is_text(head):
        return f"it is a text file, not a video. {_REMEDY}"
    if isinstance(error, av.ArgumentError):  # what FFmpeg says about formats that are not on the list
        trouble = "it is in a format that holds no film, or that is not among the known container formats"
        return f"{trouble}. {_REMEDY}"
    message = getattr(error, "strerror", None) or error  # without the file name: equal reasons are counted
    return (
        f"it is in no video format that FFmpeg knows, or it is damaged from the start ({message}). {_REMEDY}"
    )


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
