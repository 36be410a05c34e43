"""Synthetic videos: every frame carries its number as a barcode that survives coding and resizing."""

import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.helpers.scheduling import scheduling_kept
from vidrep_pipelines.data.video.encoder_instructions import reproducible_options

Frames = NDArray[np.uint8]

_BITS = 8
_TICKS = 60_000  # MPEG-4 has 16 bits for it


def _reproducible(codec: str, options: dict[str, str]) -> dict[str, str]:
    """Else damage at a place of the file hits one thing today and another tomorrow."""
    own = reproducible_options() if codec == "libx264" else {}
    both = own.keys() & options.keys()
    return own | options | {name: f"{options[name]}:{own[name]}" for name in both}


def barcode_frames(count: int, width: int = 96, height: int = 64, seed: int = 0) -> Frames:
    """(T, H, W, 3): smooth moving texture; the lower half shows the frame number, 8 blocks, most significant
    bit on the left, white for one. The texture differs between seeds."""
    rng = np.random.default_rng(seed)
    frequency, phase = rng.uniform(1, 4, (3, 2)), rng.uniform(0, 6, 3)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    frames = np.empty((count, height, width, 3), np.uint8)
    for number in range(count):
        for channel in range(3):
            wave = np.sin(
                frequency[channel] @ np.stack([x, y]).reshape(2, -1) * 6 + phase[channel] + number / 5
            )
            frames[number, ..., channel] = (128 + 90 * wave).reshape(height, width)
        frames[number, height // 2 :] = _barcode(number, width)[None, :, None]
    return frames


def _barcode(number: int, width: int) -> Frames:
    bits = np.array([number >> (_BITS - 1 - bit) & 1 for bit in range(_BITS)])
    return (bits[np.arange(width) * _BITS // width] * 200 + 28).astype(np.uint8)


def read_barcode(frame: Frames) -> int:
    """The number in one (H, W, 3) frame of any size."""
    height, width, _ = frame.shape
    row = frame[height * 5 // 8 : height * 7 // 8].mean((0, 2))
    centers = ((np.arange(_BITS) + 0.5) * width / _BITS).astype(int)
    return sum(int(row[center] > 128) << (_BITS - 1 - bit) for bit, center in enumerate(centers))


def read_barcodes(frames: Frames) -> list[int]:
    """The numbers in (T, H, W, 3) frames."""
    return [read_barcode(frame) for frame in frames]


def write_video(
    path: Path,
    frames: int | Frames = 30,
    width: int = 96,
    height: int = 64,
    *,
    rate: Fraction | int = 25,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: Sequence[float] | None = None,
    audio: bool = False,
    rotation: int = 0,
    faststart: bool = False,
    seed: int = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encodes frames (or that many barcode frames) to a file; the suffix chooses the container.

    Args:
        path: File to write; its folder is made.
        frames: (T, H, W, 3) uint8, or how many barcode frames to draw.
        width: Pixels, when frames are drawn.
        height: Pixels, when frames are drawn.
        rate: Frames per second.
        codec: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name.
        options: Encoder options; short keyframe intervals are ``{"g": "12"}``.
        times: Seconds at which each frame is shown, for a variable rate.
        audio: Adds a sound track of the same duration.
        rotation: Display rotation in degrees counterclockwise (a multiple of 90), written to the header.
        faststart: Puts the header of an MP4 file at its front.
        seed: Of the drawn texture.
        container_options: Options of the container in FFmpeg's names.
    """
    pictures = barcode_frames(frames, width, height, seed) if isinstance(frames, int) else frames
    path.parent.mkdir(parents=True, exist_ok=True)
    muxing = (container_options or {}) | ({"movflags": "faststart"} if faststart else {})
    with scheduling_kept(), av.open(str(path.absolute()), "w", options=muxing) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=_reproducible(codec, options or {}))
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.codec_context.thread_count = 1
        time_base = 1 / Fraction(rate) if times is None else Fraction(1, _TICKS)
        stream.codec_context.time_base = time_base
        sound = container.add_stream("aac", rate=16_000) if audio else None
        shown = times if times is not None else [number / float(rate) for number in range(len(pictures))]
        for picture, seconds in zip(pictures, shown, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(seconds / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _mux_tone(container, sound, shown[-1] + 1 / float(rate))
    if rotation:
        set_rotation(path, rotation)
    return path


def write_audio_only(path: Path, seconds: float = 1.0) -> Path:
    """A file with a sound track and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path.absolute()), "w") as container:
        _mux_tone(container, container.add_stream("aac", rate=16_000), seconds)
    return path


def _mux_tone(container: Any, stream: Any, seconds: float) -> None:
    for start in range(0, int(seconds * 16_000), 1024):
        tone = np.sin(np.arange(start, start + 1024) * 0.17).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def truncate(path: Path, share: float) -> Path:
    """Keeps the first ``share`` of the file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def box(data: bytes, *kinds: bytes) -> tuple[int, int]:
    """(first byte after the header, end) of a nested MP4 box, for example ``box(data, b"moov", b"trak")``."""
    start, end = 0, len(data)
    for kind in kinds:
        position = start
        while data[position + 4 : position + 8] != kind:
            position += int.from_bytes(data[position : position + 4], "big")
            if position >= end:
                raise ValueError(f"there is no box {kind!r}")
        start, end = position + 8, position + int.from_bytes(data[position : position + 4], "big")
    return start, end


def flip_bytes(path: Path, share: float = 0.5, count: int = 40, seed: int = 0) -> Path:
    """Overwrites bytes of the picture data of an MP4 file from ``share`` of it on; the header stays whole."""
    data = bytearray(path.read_bytes())
    start, end = box(bytes(data), b"mdat")
    first = start + int((end - start) * share)
    rng = random.Random(seed)
    for position in range(first, min(first + count, end)):
        data[position] ^= rng.randrange(1, 256)
    path.write_bytes(data)
    return path


def remove_moov(path: Path) -> Path:
    """Cuts the index off an MP4 file that has it at its end, as after an interrupted recording."""
    data = path.read_bytes()
    start, _ = box(data, b"moov")
    path.write_bytes(data[: start - 8])
    return path


def set_rotation(path: Path, degrees: int) -> Path:
    """Writes a display rotation (counterclockwise, multiple of 90) into the track header of an MP4 file."""
    data = bytearray(path.read_bytes())
    start, _ = box(bytes(data), b"moov", b"trak", b"tkhd")
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][degrees // 90 % 4]
    matrix = (cosine, -sine, 0, sine, cosine, 0, 0, 0, 1)
    scale = (1 << 16, 1 << 16, 1 << 30)
    values = [value * scale[place % 3] for place, value in enumerate(matrix)]
    data[start + 40 : start + 76] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(data)
    return path


def cut_by_edit_list(path: Path, first: int) -> Path:
    """Hides the first frames of an MP4 file by its edit list, as cutting without re-encoding does."""
    data = bytearray(path.read_bytes())
    scale_start, _ = box(bytes(data), b"moov", b"trak", b"mdia", b"mdhd")
    scale = int.from_bytes(data[scale_start + 12 : scale_start + 16], "big")
    entry, _ = box(bytes(data), b"moov", b"trak", b"edts", b"elst")
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
    assert rate is not None
    old = int.from_bytes(data[entry + 12 : entry + 16], "big", signed=True)
    new = old + round(first * scale / rate)
    data[entry + 12 : entry + 16] = new.to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return path
