"""Resizing: the one moment at which every frame of a source video is decoded.

It therefore yields three things at once: a small file with short distances between keyframes, the verdict on
the source's health, and the packet index that makes later random access cheap.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.data.video.container import OpenedVideo, open_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.frame_times import presentation_times
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import save_packet_index
from vidrep_pipelines.data.video.probe import claimed_rate, displayed_size, quarter_turns
from vidrep_pipelines.data.video.profiles import ResizeConfig, target_size
from vidrep_pipelines.data.video.writer import VideoWriter

Fact = str | int | float | bool

_USUAL_RATE = Fraction(25)
_PLAUSIBLE_RATES = (Fraction(1, 10), Fraction(1000))


def resize_video(
    source: Path, destination: Path, config: ResizeConfig, index_destination: Path | None = None
) -> dict[str, Fact]:
    """Writes a resized copy of a video, upright and without sound, with every frame that can be decoded.

    Pixels count as square, as in the published preparation. Frames get evenly spaced timestamps; if the
    source's were uneven, the true times are kept in the packet index.

    Args:
        source: Any video file that FFmpeg reads.
        destination: The MP4 file to write. It does not exist after an error.
        config: Size, encoding, and what counts as a failure.
        index_destination: Where to write the packet index of ``destination``; None writes none.

    Returns:
        ``source_width``, ``source_height`` (upright), ``source_frames`` (as claimed, 0 unknown),
        ``source_codec``, ``rotation``, ``has_audio``, ``width``, ``height``, ``frames``,
        ``frames_per_second``, ``duration_seconds``, ``keyframe_interval``, ``verdict`` (``"healthy"`` or
        ``"truncated"``) and ``verdict_detail``.

    Raises:
        UnreadableVideoError: Nothing usable can be decoded, or the clip is damaged and
            ``config.allow_truncated`` is off.
        OSError: The destination cannot be written.
    """
    try:
        with open_video(source) as opened:
            facts, seconds = _encode(opened, destination, config)
        if index_destination is not None:
            index = PacketIndex.of_clip(destination, int(facts["frames"]), seconds)
            save_packet_index(index, index_destination)
    except BaseException:
        destination.unlink(missing_ok=True)
        raise
    return facts


def _encode(
    opened: OpenedVideo, destination: Path, config: ResizeConfig
) -> tuple[dict[str, Fact], np.ndarray | None]:
    frames = HealthyFrames(opened, one_shape=True)
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        reason = frames.detail or "it has a video stream without a single frame"
        raise UnreadableVideoError(f"{opened.path}: not one frame can be used: {reason}.")
    facts = _source_facts(opened, first)
    rate = _written_rate(opened)
    width, height = target_size(int(facts["source_width"]), int(facts["source_height"]), config.short_side)
    turns = quarter_turns(first.rotation)
    with VideoWriter(destination, width, height, rate, config.encoding, turns) as writer:
        seconds = _write_all(chain([first], iterator), writer, rate, Fraction(opened.stream.time_base))
    _require_usable(opened.path, frames, config)
    facts |= {
        "width": width,
        "height": height,
        "frames": writer.count,
        "frames_per_second": float(rate),
        "duration_seconds": float(writer.count / rate),
        "keyframe_interval": config.encoding.keyframe_interval,
        "verdict": frames.verdict,
        "verdict_detail": frames.detail,
    }
    return facts, seconds


def _source_facts(opened: OpenedVideo, first: Any) -> dict[str, Fact]:
    width, height = displayed_size(first.width, first.height, first.rotation)
    return {
        "source_width": width,
        "source_height": height,
        "source_frames": opened.stream.frames,
        "source_codec": opened.stream.codec_context.name,
        "rotation": first.rotation,
        "has_audio": bool(opened.container.streams.audio),
    }


def _written_rate(opened: OpenedVideo) -> Fraction:
    """The source's average rate, in a denominator that MP4 time scales can express exactly."""
    rate = claimed_rate(opened)
    low, high = _PLAUSIBLE_RATES
    if rate is None or not low <= rate <= high:
        return _USUAL_RATE
    return rate.limit_denominator(1001)


def _write_all(
    frames: Iterator[Any], writer: VideoWriter, rate: Fraction, time_base: Fraction
) -> np.ndarray | None:
    """Writes all frames; returns their true times in seconds from the first one, None if evenly spaced."""
    ticks: list[int | None] = []
    for frame in frames:
        ticks.append(frame.pts)
        writer.write(frame)
    times = presentation_times(ticks, round(1 / (rate * time_base)))
    seconds = (times - times[0]) * float(time_base)
    period = float(1 / rate)
    even = np.arange(len(times)) * period
    return None if np.abs(seconds - even).max() < period / 10 else seconds


def _require_usable(path: Path, frames: HealthyFrames, config: ResizeConfig) -> None:
    if frames.count < config.min_frames:
        plural = "frame" if frames.count == 1 else "frames"
        reason = f" ({frames.detail})" if frames.detail else ""
        raise UnreadableVideoError(
            f"{path}: it holds {frames.count} decodable {plural}{reason}, "
            f"fewer than min_frames = {config.min_frames} of the resize parameters."
        )
    if frames.verdict == "truncated" and not config.allow_truncated:
        raise UnreadableVideoError(
            f"{path}: {frames.detail}, and allow_truncated of the resize parameters is off."
        )
