"""Encoding one clip in several ways, as the fan-out calls it: the files, their sizes, quality and effort."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.local_copy import local_copy
from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.probe import displayed_size, quarter_turns
from vidrep_pipelines.data.video.profiles import PROFILES, EncodingProfile, target_size
from vidrep_pipelines.data.video.transcode import Fact
from vidrep_pipelines.data.video.writer import VideoWriter
from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice, MeasureVideoIoConfig

IDENTICAL = 100.0
"""Decibels that stand for no difference at all."""


def luma(frame: Any) -> NDArray[np.uint8]:
    """The brightness plane of a decoded 8-bit YUV frame as (H, W); a view into the frame's memory."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def peak_signal_to_noise(references: Sequence[Any], path: Path) -> float:
    """PSNR of the luma plane, with one mean squared error over all frames of the clip.

    Args:
        references: The frames before encoding, 8-bit YUV, as PyAV decodes them.
        path: The encoded clip.

    Returns:
        Decibels, at most :data:`IDENTICAL`.

    Raises:
        InputError: The clip does not hold as many frames as there are references.
    """
    squared, pixels, count = 0.0, 0, 0
    with open_video(path) as opened:
        for count, (reference, frame) in enumerate(zip(references, HealthyFrames(opened), strict=False), 1):  # noqa: B007
            difference = luma(reference).astype(np.int32) - luma(frame)
            squared += float(np.square(difference).sum())
            pixels += difference.size
    if count != len(references):
        raise InputError(f"{path} holds {count} frames, {len(references)} were encoded.")
    if squared == 0:
        return IDENTICAL
    return min(IDENTICAL, 10 * math.log10(255**2 * pixels / squared))


LOSSLESS_SUFFIX = ".lossless.mp4"
"""The resized clip before anything is lost: what the encodings are made from and compared with."""

_LOSSLESS = replace(PROFILES["published"], b_frames=0, preset="ultrafast", quality=0)
_RATE = Fraction(25)
"""Frames per second that are written. Sizes and times per frame hardly depend on it."""


def suffix_of(encoding: EncodingChoice) -> str:
    """Ending of a clip's file in one encoding."""
    return f".{encoding.name}.mp4"


def product_suffixes(config: MeasureVideoIoConfig) -> tuple[str, ...]:
    """Endings of all files of a clip."""
    return (LOSSLESS_SUFFIX, *map(suffix_of, config.encodings))


def encode_item(
    payload: tuple[str, int, MeasureVideoIoConfig], outputs: Mapping[str, Path]
) -> dict[str, Fact]:
    """Resizes a video without loss, then encodes that in every way.

    Args:
        payload: Path or address of the video, short side in pixels, what is measured.
        outputs: Where to write each of :func:`product_suffixes`.

    Returns:
        ``width``, ``height``, ``frames``, and for each encoding ``<name>.bytes``, ``<name>.psnr`` (luma,
        decibels) and ``<name>.encode_seconds`` (processor time of one thread, without decoding and scaling).

    Raises:
        UnreadableVideoError: The video cannot be opened, or has fewer than two decodable frames.
    """
    address, short_side, config = payload
    with local_copy(address) as path:
        _write_lossless(Path(path), outputs[LOSSLESS_SUFFIX], short_side, config.max_frames)
    with open_video(outputs[LOSSLESS_SUFFIX]) as opened:
        pictures = list(HealthyFrames(opened))
    facts: dict[str, Fact] = {
        "width": pictures[0].width,
        "height": pictures[0].height,
        "frames": len(pictures),
    }
    for choice in config.encodings:
        destination = outputs[suffix_of(choice)]
        facts[f"{choice.name}.encode_seconds"] = _encode(pictures, destination, choice.encoding)
        facts[f"{choice.name}.bytes"] = destination.stat().st_size
        facts[f"{choice.name}.psnr"] = peak_signal_to_noise(pictures, destination)
    return facts


def _write_lossless(source: Path, destination: Path, short_side: int, max_frames: int) -> None:
    with open_video(source) as opened:
        frames = islice(HealthyFrames(opened), max_frames)
        first, second = next(frames, None), next(frames, None)
        if first is None or second is None:
            raise UnreadableVideoError(f"{source}: fewer than two of its frames can be decoded.")
        size = displayed_size(first.width, first.height, first.rotation)
        width, height = target_size(*size, short_side)
        turns = quarter_turns(first.rotation)
        with VideoWriter(destination, width, height, _RATE, _LOSSLESS, turns) as writer:
            for frame in (first, second, *frames):
                writer.write(frame)


def _encode(pictures: Sequence[Any], destination: Path, encoding: EncodingProfile) -> float:
    """Writes the clip; returns seconds of processor time."""
    started = time.process_time()
    with VideoWriter(destination, pictures[0].width, pictures[0].height, _RATE, encoding) as writer:
        for picture in pictures:
            writer.write(picture)
    return time.process_time() - started
