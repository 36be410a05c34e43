"""The packet index on disk: a few kilobytes per clip, read without parsing.

Layout, little-endian: magic bytes, length of the header (uint32), header (JSON), then the columns one after
another. Whatever follows from the rest is left out: offsets of packets that lie back to back, and flags
beyond one bit each.
"""

import json
import struct
from dataclasses import astuple
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.packet_index import FileStamp, PacketIndex

_MAGIC = b"VPKTIDX1"
_HEADER_LENGTH = struct.Struct("<I")
_FLAGS = ("keyframes", "droppable", "discarded")


def save_packet_index(index: PacketIndex, path: Path) -> None:
    """Writes the index; the file is either complete or absent."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(index_to_bytes(index))


def load_packet_index(path: Path) -> PacketIndex:
    """Reads an index that :func:`save_packet_index` wrote.

    Raises:
        InputError: The file is missing, damaged, or no packet index.
    """
    try:
        return index_from_bytes(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: the packet index cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise InputError(
            f"{path} is no packet index, or it is damaged ({error}). Remove it and run resize again."
        ) from error


def index_to_bytes(index: PacketIndex) -> bytes:
    """The index as one byte string, for a file of its own or a place in a larger store."""
    ends = index.offsets + index.sizes
    contiguous = bool((index.offsets[1:] == ends[:-1]).all())
    header = {
        "codec": index.codec,
        "extradata": index.extradata.hex(),
        "size": [index.width, index.height],
        "rotation": index.rotation,
        "time_base": [index.time_base.numerator, index.time_base.denominator],
        "frames_per_second": index.frames_per_second,
        "packets": len(index.sizes),
        "times_kind": _times_kind(index.times),
        "first_offset": int(index.offsets[0]) if contiguous else None,
        "source_seconds": 0 if index.source_seconds is None else len(index.source_seconds),
        "stamp": list(astuple(index.stamp)),
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    columns = [] if contiguous else [index.offsets.astype("<i8")]
    columns += [index.sizes.astype("<u4"), index.times.astype(_times_kind(index.times))]
    columns += [np.packbits(getattr(index, name)) for name in _FLAGS]
    if index.source_seconds is not None:
        columns.append(index.source_seconds.astype("<f8"))
    return b"".join([_MAGIC, _HEADER_LENGTH.pack(len(text)), text, *(column.tobytes() for column in columns)])


def index_from_bytes(data: bytes) -> PacketIndex:
    """Inverse of :func:`index_to_bytes`.

    Raises:
        ValueError: The bytes are no index, or cut short (KeyError, TypeError and struct.error likewise).
    """
    if data[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it does not begin like one")
    (length,) = _HEADER_LENGTH.unpack_from(data, len(_MAGIC))
    start = len(_MAGIC) + _HEADER_LENGTH.size
    header = json.loads(data[start : start + length])
    columns = _Columns(data, start + length)
    count = int(header["packets"])
    offsets = None if header["first_offset"] is not None else columns.take("<i8", count)
    sizes = columns.take("<u4", count).astype(np.int64)
    if offsets is None:
        offsets = int(header["first_offset"]) + np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)
    times = columns.take(header["times_kind"], count).astype(np.int64)
    flags = {name: columns.take_flags(count) for name in _FLAGS}
    seconds = columns.take("<f8", header["source_seconds"]) if header["source_seconds"] else None
    columns.require_end()
    return PacketIndex(
        codec=header["codec"],
        extradata=bytes.fromhex(header["extradata"]),
        width=header["size"][0],
        height=header["size"][1],
        rotation=header["rotation"],
        time_base=Fraction(*header["time_base"]),
        frames_per_second=header["frames_per_second"],
        offsets=offsets,
        sizes=sizes,
        times=times,
        **flags,
        source_seconds=seconds,
        stamp=FileStamp(*header["stamp"]),
    )


def _times_kind(times: NDArray[np.int64]) -> str:
    """The smallest type that holds the times."""
    narrow = np.iinfo(np.int32)
    return "<i4" if narrow.min <= times.min() and times.max() <= narrow.max else "<i8"


class _Columns:
    """Takes one column after another from a byte string."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position

    def take(self, kind: str, count: int) -> NDArray[Any]:
        column = np.frombuffer(self._data, kind, count, self._position)
        self._position += column.nbytes
        return column

    def take_flags(self, count: int) -> NDArray[np.bool_]:
        return np.unpackbits(self.take("u1", -(-count // 8)), count=count).astype(np.bool_)

    def require_end(self) -> None:
        if self._position != len(self._data):
            raise ValueError("its length does not fit its header")
