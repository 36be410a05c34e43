"""What a tokenizer has to beat at equal bits: JPEG, WebP, and fewer pixels."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import FloatArray, IntArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.evaluation.reconstruction.config import CodecName

_JPEG_QUALITIES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 37, 45, 52, 60, 67, 74, 80, 85, 90, 94, 97)
_SUBSAMPLINGS = (0, 2)  # 4:4:4, which is ahead at many bits, and 4:2:0
_WEBP_QUALITIES = (0, 2, 4, 7, 10, 15, 20, 27, 35, 45, 55, 65, 75, 82, 88, 93, 97, 100)
_DEPTHS = range(3, 9)  # bits of a channel of a pixel that is kept
_RIFF_HEADER = 20  # of a container, and of the one chunk in it
_SCAN = 0xDA


@dataclass(frozen=True)
class CodedClip:
    """A clip as a codec gives it back.

    Attributes:
        bits_per_pixel: What it took, without what is the same for all pictures.
        psnr: Mean over frames of the peak signal-to-noise ratio in decibels.
        frames: (T, H, W, 3) uint8.
        setting: Of the codec, in words.
    """

    bits_per_pixel: float
    psnr: float
    frames: Pixels
    setting: str


Coded = tuple[int, Pixels]
"""Bits of a frame, and the frame (H, W, 3) as it comes back."""

_Setting = tuple[str, Callable[[Pixels], Coded]]
"""A setting in words, and the codec with it."""


def clips_at_budgets(codec: CodecName, clip: Pixels, budgets: FloatArray) -> list[CodedClip]:
    """The best that a codec makes of a clip within each number of bits.

    The codec knows the clip when it chooses among its settings, and the handful of bits that would say which
    one it chose are not counted: all this is in its favor. Where no setting is as frugal, the most frugal
    one counts, with the bits that it takes.

    Args:
        codec: ``jpeg`` and ``webp`` frame by frame, at all qualities; ``area`` and ``nearest``: fewer pixels
            of fewer levels, averaged and interpolated bicubically, or picked and repeated.
        clip: (T, H, W, 3) uint8.
        budgets: Bits per pixel.
    """
    if codec in ("jpeg", "webp"):
        tried = [_coded(clip, setting, code) for setting, code in _file_settings(codec)]
        return [_best(tried, budget) for budget in budgets.tolist()]
    pixels = clip.shape[1] * clip.shape[2]
    return [
        _best([_coded(clip, *setting) for setting in _pixel_settings(codec, clip, budget * pixels)], budget)
        for budget in budgets.tolist()
    ]


def _best(tried: list[CodedClip], budget: float) -> CodedClip:
    within = [one for one in tried if one.bits_per_pixel <= budget]
    if within:
        return max(within, key=lambda one: one.psnr)
    return min(tried, key=lambda one: (one.bits_per_pixel, -one.psnr))


def _coded(clip: Pixels, setting: str, code: Callable[[Pixels], Coded]) -> CodedClip:
    bits, frames = zip(*map(code, clip), strict=True)
    rebuilt = np.stack(frames)
    errors = np.square(clip.astype(np.float64) - rebuilt).mean(axis=(1, 2, 3)) / 255**2
    psnr = float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))
    return CodedClip(sum(bits) / clip[..., 0].size, psnr, rebuilt, setting)


def _file_settings(codec: CodecName) -> Iterator[_Setting]:
    if codec == "webp":
        for quality in _WEBP_QUALITIES:
            yield f"quality {quality}", partial(webp_frame, quality=quality)
        return
    for quality in _JPEG_QUALITIES:
        for subsampling in _SUBSAMPLINGS:
            words = f"quality {quality}, {'4:2:0' if subsampling else '4:4:4'}"
            yield words, partial(jpeg_frame, quality=quality, subsampling=subsampling)


def jpeg_frame(frame: Pixels, quality: int, subsampling: int = 0) -> Coded:
    """JPEG with the standard's tables, of whose bytes only the coded pixels count: the rest need not be sent.

    Args:
        frame: (H, W, 3) uint8.
        quality: 1 to 97.
        subsampling: 0 keeps colors at every pixel, 2 at every fourth.
    """
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return 8 * _scan_bytes(buffer.getvalue()), _decoded(buffer)


def webp_frame(frame: Pixels, quality: int) -> Coded:
    """Lossy WebP, the key frame of VP8, without the container around it.

    Args:
        frame: (H, W, 3) uint8.
        quality: 0 to 100.
    """
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "WEBP", quality=quality, method=6)
    return 8 * (len(buffer.getvalue()) - _RIFF_HEADER), _decoded(buffer)


def _decoded(buffer: io.BytesIO) -> Pixels:
    buffer.seek(0)
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))


def _scan_bytes(data: bytes) -> int:
    """Length of the coded pixels of a baseline JPEG file: what follows the header of its one scan.

    Raises:
        InputError: There is no scan.
    """
    place = 2
    while place + 4 <= len(data):
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        place += 2 + length
        if marker == _SCAN:
            return len(data) - place - 2  # without the marker of the end
    raise InputError("A JPEG file has no scan.")


def _pixel_settings(codec: CodecName, clip: Pixels, bits: float) -> Iterator[_Setting]:
    """For each depth the most pixels that fit; at least one."""
    height, width = clip.shape[1:3]
    averaged = codec == "area"
    for depth in _DEPTHS:
        scale = min(1.0, math.sqrt(bits / (3 * depth * height * width)))
        rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
        words = f"{columns}x{rows} pixels of {depth} bits per channel"
        yield (
            words,
            partial(fewer_pixels, averaged=averaged, height=rows, width=columns, depth=depth),
        )


def fewer_pixels(frame: Pixels, *, averaged: bool, height: int, width: int, depth: int) -> Coded:
    """A small picture of few levels, brought back to full size.

    Args:
        frame: (H, W, 3) uint8.
        averaged: Average areas and interpolate bicubically; else pick pixels and repeat them.
        height: Height of the small picture.
        width: Width of the small picture.
        depth: Bits of a channel of its pixels.
    """
    H, W = frame.shape[:2]
    if averaged:
        small = resize_frame(frame, height, width)
    else:
        small = frame[_picked(H, height)][:, _picked(W, width)]
    levels = 2**depth - 1
    kept = np.rint(np.rint(small / 255 * levels) / levels * 255).astype(np.uint8)
    if averaged:
        return small.size * depth, resize_frame(kept, H, W)
    return small.size * depth, kept[np.arange(H) * height // H][:, np.arange(W) * width // W]


def _picked(length: int, count: int) -> IntArray:
    """The pixels nearest to the middles of ``count`` equal parts of a side."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.int64)
