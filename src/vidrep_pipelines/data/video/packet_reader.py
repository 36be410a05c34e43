"""Frames by byte range, through decoders that are kept from call to call."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.open_files import TooManyOpenFilesError, is_out_of_descriptors
from vidrep_pipelines.data.video.container import DECODE_ERRORS, DECODING_OPTIONS
from vidrep_pipelines.data.video.errors import UnreadableVideoError, WrongPictureError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_plan import DecodingRun, plan_runs
from vidrep_pipelines.data.video.picture_converter import PictureConverter, picture_checksum
from vidrep_pipelines.data.video.stored_video import holding_file

_KEPT_DECODERS = 32
_TOLERATED_GAPS = 1 << 16
"""Bytes of other streams that are read along rather than reading packet by packet."""


ReadBytes = Callable[[int, int], bytes | memoryview]
"""Gives so many bytes from a place on: ``read(first, count)``; fewer where the video ends."""


class PacketReader:
    """Reads frames of indexed files. Not to be shared between processes or threads."""

    def __init__(self) -> None:
        self._decoders: OrderedDict[tuple[str, bytes, str], Any] = OrderedDict()
        self._converter = PictureConverter()

    def read(self, path: Path, ranks: Sequence[int], index: PacketIndex) -> dict[int, NDArray[np.uint8]]:
        """Decodes the frames of the given ranks.

        Args:
            path: The video that ``index`` describes.
            ranks: Ascending, without repetition, each within the clip.
            index: The file's packets.

        Returns:
            (H, W, 3) per rank, upright.

        Raises:
            UnreadableVideoError: A frame is damaged or missing.
            TooManyOpenFilesError: The process has no descriptor left; the video is not at fault.
        """
        try:
            descriptor = os.open(holding_file(path), os.O_RDONLY)
        except OSError as error:
            if is_out_of_descriptors(error):
                raise TooManyOpenFilesError from error
            raise UnreadableVideoError(f"{path}: {error.strerror}.") from error
        try:
            pictures = dict(self.pictures(partial(_bytes_of, descriptor), ranks, index, path))
        finally:
            os.close(descriptor)
        return {rank: pictures[rank] for rank in ranks}

    def pictures(
        self, read: ReadBytes, ranks: Sequence[int], index: PacketIndex, path: Path
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Like :meth:`read`, of a video that lies anywhere, one picture at a time.

        Args:
            read: Gives the bytes of the video.
            ranks: As for :meth:`read`.
            index: The video's packets; places are counted as ``read`` counts them.
            path: What errors call the video.

        Yields:
            Rank and (H, W, 3), in the order of decoding.

        Raises:
            UnreadableVideoError: A frame is damaged or missing.
        """
        decoder = self._decoder(index)
        missing = {int(index.presented[rank]): rank for rank in ranks}
        for run in plan_runs(index, ranks):
            for number, frame in _decode(decoder, run, index, read, path):
                _require_same(frame, index, number, path)
                yield missing.pop(number), self._converter.upright_rgb(frame, index.rotation)
        if missing:
            raise UnreadableVideoError(
                f"{path}: frame {min(missing.values())} did not come out of the decoder."
            )

    def _decoder(self, index: PacketIndex) -> Any:
        """One decoder per distinct set-up; resized clips of equal shape share one.

        Other videos may change the set-up on their way, so each has a decoder of its own.
        """
        owner = "" if index.checksums is None else index.stamp.fingerprint
        key = (index.codec, index.extradata, owner)
        if key not in self._decoders:
            decoder = av.CodecContext.create(index.codec, "r")
            decoder.extradata = index.extradata or None
            decoder.options = dict(DECODING_OPTIONS)
            decoder.thread_count, decoder.thread_type = 1, "SLICE"
            self._decoders[key] = decoder
        self._decoders.move_to_end(key)
        if len(self._decoders) > _KEPT_DECODERS:
            self._decoders.popitem(last=False)
        return self._decoders[key]


def _bytes_of(descriptor: int, first: int, count: int) -> bytes:
    return os.pread(descriptor, count, first)


def _decode(
    decoder: Any, run: DecodingRun, index: PacketIndex, read: ReadBytes, path: Path
) -> Iterator[tuple[int, Any]]:
    """Yields the wanted frames of a run with the numbers of their packets."""
    left = set(run.targets)
    start = int(index.times[run.packets[0]])
    try:
        decoder.flush_buffers()
        for frame in _frames(decoder, _packets(run, index, read)):
            number = frame.pts
            if number is None:
                continue
            # Damage spreads to later frames of the run. Frames shown before its first one do not count: what
            # they refer to was not decoded.
            if frame.is_corrupt and index.times[number] >= start:
                raise UnreadableVideoError(f"{path}: a frame is damaged.")
            if number in left:
                left.remove(number)
                yield number, frame
            if not left:
                return
    except DECODE_ERRORS as error:
        raise UnreadableVideoError(f"{path}: decoding failed ({error}).") from error


def _require_same(frame: Any, index: PacketIndex, number: int, path: Path) -> None:
    """Compares with what decoding from the start gave, where that is known."""
    if index.checksums is not None and picture_checksum(frame) != index.checksums[number]:
        raise WrongPictureError(
            f"{path}: a frame decoded from the keyframe before it is not what decoding from the start gives. "
            'Read this video with reader="auto" or "pyav".'
        )


def _frames(decoder: Any, packets: Iterable[Any]) -> Iterator[Any]:
    for packet in packets:
        yield from decoder.decode(packet)
    yield from decoder.decode(None)  # what the decoder held back to put frames into order


def _packets(run: DecodingRun, index: PacketIndex, read: ReadBytes) -> Iterator[Any]:
    """Reads the run's bytes, in one piece unless much else lies between the packets."""
    numbers = list(run.packets)
    offsets, sizes = index.offsets[numbers], index.sizes[numbers]
    start, end = int(offsets.min()), int((offsets + sizes).max())
    whole = None
    if end - start <= 2 * int(sizes.sum()) + _TOLERATED_GAPS:
        whole = memoryview(read(start, end - start))
    for number, offset, size in zip(numbers, offsets.tolist(), sizes.tolist(), strict=True):
        data = read(offset, size) if whole is None else whole[offset - start :][:size]
        if len(data) != size:
            raise EOFError("the file is shorter than its index says")
        packet = av.Packet(data if index.transport is None else index.transport.unwrap(data))
        packet.pts = number  # comes out again with the frame, whatever the file's own times are
        yield packet
