"""The packet index on disk: a few kilobytes per clip, read without parsing.

Layout, little-endian: magic bytes, length of the header (uint32), header (JSON), then the columns one after
another. Whatever follows from the rest is left out: offsets of packets that lie back to back, and flags
beyond one bit each. Version 2 adds what indices of videos have that this project did not encode; indices of
clips are written as version 1, and both are read.
"""

import json
import struct
from dataclasses import astuple
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.open_files import TooManyOpenFilesError, is_out_of_descriptors
from vidrep_pipelines.data.video.packet_index import INDEXABLE_CODECS, FileStamp, PacketIndex
from vidrep_pipelines.data.video.transport_stream import TransportStream

_MAGIC, _MAGIC_FOREIGN = b"VPKTIDX1", b"VPKTIDX2"
_HEADER_LENGTH = struct.Struct("<I")
_FLAGS = ("keyframes", "droppable", "discarded")

_Count = Annotated[int, Field(ge=0, lt=1 << 32)]
_Number = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
_Positive = Annotated[int, Field(ge=1, lt=1 << 63)]
_Place = Annotated[int, Field(ge=0, lt=1 << 62)]
_Side = Annotated[int, Field(ge=0, lt=1 << 20)]


class _Header(BaseModel):
    """What stands in front of the columns."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    codec: Annotated[str, Field(max_length=32)]
    extradata: Annotated[str, Field(max_length=1 << 20)]
    size: Annotated[list[_Side], Field(min_length=2, max_length=2)]
    rotation: Annotated[int, Field(ge=-360, le=360)]
    time_base: tuple[_Positive, _Positive]
    frames_per_second: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    packets: Annotated[_Count, Field(ge=1)]
    times_kind: Literal["<i4", "<i8"]
    first_offset: _Place | None
    source_seconds: _Count
    stamp: tuple[_Place, _Number, Annotated[str, Field(max_length=32)], _Place]
    checksums: bool = False
    transport: tuple[_Side, Literal[188, 192, 204]] | None = None
    damage: str = ""


def save_packet_index(index: PacketIndex, path: Path) -> None:
    """Writes the index; the file is either complete or absent."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(index_to_bytes(index))


def load_packet_index(path: Path) -> PacketIndex:
    """Reads an index that :func:`save_packet_index` wrote.

    Raises:
        InputError: The file is missing, damaged, or no packet index.
        TooManyOpenFilesError: The process has no descriptor left; the file is not at fault.
    """
    try:
        return index_from_bytes(path.read_bytes())
    except OSError as error:
        if is_out_of_descriptors(error):
            raise TooManyOpenFilesError from error
        raise InputError(f"{path}: the packet index cannot be read: {error.strerror}.") from error
    except (ValueError, struct.error) as error:
        reason = _first_problem(error) if isinstance(error, ValidationError) else error
        raise InputError(
            f"{path} is no packet index, or it is damaged ({reason}). Remove it and run resize again."
        ) from error


def index_to_bytes(index: PacketIndex) -> bytes:
    """The index as one byte string, for a file of its own or a place in a larger store."""
    ends = index.offsets + index.sizes
    contiguous = bool((index.offsets[1:] == ends[:-1]).all())
    header: dict[str, object] = {
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
    foreign = _foreign_fields(index)
    header |= foreign
    text = json.dumps(header, separators=(",", ":")).encode()
    columns = [] if contiguous else [index.offsets.astype("<i8")]
    columns += [index.sizes.astype("<u4"), index.times.astype(_times_kind(index.times))]
    columns += [np.packbits(getattr(index, name)) for name in _FLAGS]
    if index.source_seconds is not None:
        columns.append(index.source_seconds.astype("<f8"))
    if index.checksums is not None:
        columns.append(index.checksums.astype("<u4"))
    magic = _MAGIC_FOREIGN if foreign else _MAGIC
    return b"".join([magic, _HEADER_LENGTH.pack(len(text)), text, *(column.tobytes() for column in columns)])


def index_from_bytes(data: bytes) -> PacketIndex:
    """Inverse of :func:`index_to_bytes`.

    Raises:
        ValueError: The bytes are no index, or cut short (struct.error likewise).
    """
    if data[: len(_MAGIC)] not in (_MAGIC, _MAGIC_FOREIGN):
        raise ValueError("it does not begin like one")
    (length,) = _HEADER_LENGTH.unpack_from(data, len(_MAGIC))
    start = len(_MAGIC) + _HEADER_LENGTH.size
    header = _Header.model_validate_json(data[start : start + length])
    columns = _Columns(data, start + length)
    count = header.packets
    offsets = None if header.first_offset is not None else columns.take("<i8", count)
    sizes = columns.take("<u4", count).astype(np.int64)
    if header.first_offset is not None:
        offsets = header.first_offset + np.cumsum(sizes) - sizes
    assert offsets is not None
    times = columns.take(header.times_kind, count).astype(np.int64)
    flags = {name: columns.take_flags(count) for name in _FLAGS}
    seconds = columns.take("<f8", header.source_seconds) if header.source_seconds else None
    checksums = columns.take("<u4", count) if header.checksums else None
    columns.require_end()
    if header.codec not in INDEXABLE_CODECS:
        raise ValueError(f"there are no indices of the codec {header.codec}")
    stamp = FileStamp(*header.stamp)
    _require_within(offsets, sizes, stamp)
    index = PacketIndex(
        codec=header.codec,
        extradata=bytes.fromhex(header.extradata),
        width=header.size[0],
        height=header.size[1],
        rotation=header.rotation,
        time_base=Fraction(*header.time_base),
        frames_per_second=header.frames_per_second,
        offsets=offsets,
        sizes=sizes,
        times=times,
        **flags,
        source_seconds=seconds,
        stamp=stamp,
        checksums=checksums,
        transport=None if header.transport is None else TransportStream(*header.transport),
        damage=header.damage,
    )
    if index.frames == 0 or (seconds is not None and len(seconds) != index.frames):
        raise ValueError("its columns contradict each other")
    return index


def _foreign_fields(index: PacketIndex) -> dict[str, object]:
    """The fields of the header that indices of clips do not have."""
    fields: dict[str, object] = {}
    if index.checksums is not None:
        fields["checksums"] = True
    if index.transport is not None:
        fields["transport"] = [index.transport.pid, index.transport.distance]
    if index.damage:
        fields["damage"] = index.damage
    return fields


def _require_within(offsets: NDArray[np.int64], sizes: NDArray[np.int64], stamp: FileStamp) -> None:
    """Packets lie within the video: nobody reads what lies elsewhere, or more than there is."""
    if (offsets < stamp.start).any() or (offsets > stamp.start + stamp.bytes - sizes).any():
        raise ValueError("its packets lie outside of the video")


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'header'}: {problem['msg']}"


def _times_kind(times: NDArray[np.int64]) -> str:
    """The smallest type that holds the times."""
    narrow = np.iinfo(np.int32)
    return "<i4" if narrow.min <= times.min() and times.max() <= narrow.max else "<i8"


class _Columns:
    """Takes one column after another from a byte string."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position

    def take(self, kind: str, count: int) -> NDArray[Any]:
        if count * np.dtype(kind).itemsize > len(self._data) - self._position:
            raise ValueError("it is cut short")
        column = np.frombuffer(self._data, kind, count, self._position)
        self._position += column.nbytes
        return column

    def take_flags(self, count: int) -> NDArray[np.bool_]:
        return np.unpackbits(self.take("u1", -(-count // 8)), count=count).astype(np.bool_)

    def require_end(self) -> None:
        if self._position != len(self._data):
            raise ValueError("its length does not fit its header")
