"""A view as a film: an mp4 with short distances between keyframes, and what reading its single frames needs.

A shard holds one record per film: a head, the packet index, a checksum of every packet, then the mp4 itself,
as players know it.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.frame_store.config import FilmConfig
from vidrep_pipelines.data.frame_store.shard import pixel_sums
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import index_from_bytes, index_to_bytes
from vidrep_pipelines.data.video.packet_reader import PacketReader, ReadBytes
from vidrep_pipelines.data.video.profiles import PROFILES
from vidrep_pipelines.data.video.writer import VideoWriter

_HEAD = struct.Struct("<III")
"""Bytes of the packet index, number of packets, CRC-32 of the index and of the packets' checksums."""

_CHECKSUM = np.dtype("<u4")

_RATE = Fraction(25)
"""Frames per second of every film, so that all of one size share a decoder; annotations know the true one."""


def encoded_film(frames: Pixels, config: FilmConfig) -> Pixels:
    """Encodes the frames of a view. Equal arguments give equal bytes.

    Args:
        frames: (T, H, W, 3) uint8 RGB, at least one. H.264 has even sides only: an odd one is encoded with
            its last row or column twice, which readers leave out.
        config: Quality, and distance of the keyframes.

    Returns:
        (B,) uint8, the film's record in a shard.
    """
    with TemporaryDirectory(prefix="vidrep-") as folder:
        path = Path(folder) / "film.mp4"
        _write(path, _even(frames), config)
        index = PacketIndex.of_clip(path, len(frames))
        film = path.read_bytes()
    stamp = replace(index.stamp, mtime_ns=0)  # the time of writing is nothing of the film's
    return np.frombuffer(_head(replace(index, stamp=stamp), film) + film, np.uint8)


@dataclass(frozen=True, eq=False)
class StoredFilm:
    """A film of which single frames can be decoded, see :meth:`.PacketReader.pictures`.

    Attributes:
        read: Gives the bytes of its record.
        index: Its packets; places are counted from the start of the mp4.
        checksums: (P,) CRC-32 of each packet.
        start: First byte of the mp4 within the record.
    """

    read: ReadBytes
    index: PacketIndex
    checksums: NDArray[np.uint32]
    start: int

    @classmethod
    def opened(cls, read: ReadBytes, size: int) -> "StoredFilm":
        """Reads what stands before the mp4.

        Args:
            read: Gives the bytes of the record.
            size: How many there are.

        Raises:
            ValueError: They are not what was written (struct.error likewise).
        """
        length, packets, checksum = _HEAD.unpack(read(0, min(_HEAD.size, size)))
        start = _HEAD.size + length + packets * _CHECKSUM.itemsize
        if start > size:
            raise ValueError("its head promises more bytes than there are")
        facts = bytes(read(_HEAD.size, start - _HEAD.size))
        if zlib.crc32(facts) != checksum:
            raise ValueError("its packet index is not what was written")
        return cls(
            read, index_from_bytes(facts[:length]), np.frombuffer(facts, _CHECKSUM, packets, length), start
        )

    def packets(self, first: int, count: int) -> bytes | memoryview:
        """Bytes of the mp4: damage is found here, as decoders hide it in pictures that look right.

        Raises:
            ValueError: A packet among them is not what was written.
        """
        data = self.read(self.start + first, count)
        begins = self.index.offsets - first
        ends = begins + self.index.sizes
        for number in np.flatnonzero((begins >= 0) & (ends <= count)).tolist():
            if zlib.crc32(data[begins[number] : ends[number]]) != self.checksums[number]:
                raise ValueError(f"packet {number} is not what was written")
        return data


def film_pixel_sums(record: Pixels, size: tuple[int, int]) -> NDArray[np.int64]:
    """Sums over the frames as they will be read, see :func:`.pixel_sums`.

    Args:
        record: Result of :func:`encoded_film`.
        size: Height and width of the frames.
    """
    data = record.data

    def read(first: int, count: int) -> memoryview:
        return data[first : first + count]

    sums = np.zeros((2, 3), np.int64)
    film = StoredFilm.opened(read, len(record))
    for _, picture in PacketReader().pictures(film.packets, range(film.index.frames), film.index, Path()):
        sums += pixel_sums(picture[: size[0], : size[1]])
    return sums


def _write(path: Path, frames: Pixels, config: FilmConfig) -> None:
    profile = replace(PROFILES["train"], quality=config.quality, keyframe_interval=config.keyframe_interval)
    height, width = frames.shape[1:3]
    with VideoWriter(path, width, height, _RATE, profile) as writer:
        for frame in _video_frames(frames):
            writer.write(frame)


def _video_frames(frames: Pixels) -> Iterator[av.VideoFrame]:
    for picture in frames:
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")


def _even(frames: Pixels) -> Pixels:
    height, width = frames.shape[1:3]
    if height % 2 == width % 2 == 0:
        return frames
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _head(index: PacketIndex, film: bytes) -> bytes:
    ends = index.offsets + index.sizes
    packets = zip(index.offsets.tolist(), ends.tolist(), strict=True)
    checksums = np.array([zlib.crc32(film[begin:end]) for begin, end in packets], _CHECKSUM)
    described = index_to_bytes(index)
    facts = described + checksums.tobytes()
    return _HEAD.pack(len(described), len(checksums), zlib.crc32(facts)) + facts
