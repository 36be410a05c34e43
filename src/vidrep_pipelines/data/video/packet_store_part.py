"""One file of the packet store: the packet indices of some thousand clips as a few plain arrays.

An HDF5 file whose arrays are neither chunked nor compressed, so that they can be mapped into memory: finding
one clip among many touches a few pages of the file and copies nothing but that clip's own numbers. Arrays
whose length differs from clip to clip are written one after another; ``records`` says where each begins.
"""

import hashlib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5
from vidrep_pipelines.data.video.packet_index import FileStamp, PacketIndex

_VERSION = 1
_FLAGS = ("keyframes", "droppable", "discarded")
_RAGGED = {"ids": "u1", "extradata": "u1", "sizes": "<u4", "ticks": "<i4", "flags": "u1", "offsets": "<i8"}
_RAGGED |= {"wide_ticks": "<i8", "source_seconds": "<f8"}
_RECORD = np.dtype(
    [(f"{name}_start", "<i8") for name in _RAGGED]
    + [(f"{name}_count", "<i4") for name in _RAGGED]
    + [("codec", "S16"), ("width", "<i4"), ("height", "<i4"), ("rotation", "<i4")]
    + [("rate", "<f8"), ("time_numerator", "<i8"), ("time_denominator", "<i8")]
    + [("first_offset", "<i8"), ("first_time", "<i8"), ("time_step", "<i8")]
    + [("stamp_bytes", "<i8"), ("stamp_mtime_ns", "<i8"), ("stamp_start", "<i8"), ("fingerprint", "S16")]
)


def key_of(clip: str) -> int:
    """A hash of the clip's name, equal on every machine: 64 bits."""
    return int.from_bytes(hashlib.blake2b(clip.encode(), digest_size=8).digest(), "little")


def write_part(entries: Iterable[tuple[str, PacketIndex]], path: Path) -> None:
    """Writes the indices of clips, given by name, to ``path``."""
    ordered = sorted((key_of(clip), clip, index) for clip, index in entries)
    records = np.zeros(len(ordered), _RECORD)
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in _RAGGED}
    ends = dict.fromkeys(_RAGGED, 0)
    for record, (_, clip, index) in zip(records, ordered, strict=True):
        _describe(record, index)
        for name, values in _ragged(clip, index, record).items():
            record[f"{name}_start"], record[f"{name}_count"] = ends[name], len(values)
            ends[name] += len(values)
            columns[name].append(values.astype(_RAGGED[name]))
    with create_hdf5(path) as file:
        file.attrs["version"] = _VERSION
        file["keys"] = np.array([key for key, _, _ in ordered], "<u8")
        file["records"] = records
        for name, kind in _RAGGED.items():
            file[name] = np.concatenate([np.empty(0, kind), *columns[name]], dtype=kind)


class PacketStorePart:
    """Reads a file that :func:`write_part` wrote. The arrays are mapped; HDF5 is used only to find them.

    Raises:
        InputError: The file is missing, damaged, or of another kind.
    """

    def __init__(self, path: Path) -> None:
        try:
            with open_hdf5(path) as file:
                if file.attrs.get("version") != _VERSION:
                    raise InputError(f"{path} is no packet store of this version. Remedy: make it again.")
                places = {name: _place(file[name]) for name in ("keys", "records", *_RAGGED)}
            data = np.memmap(path, np.uint8, "r")
            self._arrays = {name: _mapped(data, *place) for name, place in places.items()}
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{path} is no packet store, or it is damaged ({error}). Make it again."
            ) from error
        self._path = path

    def __len__(self) -> int:
        return len(self._arrays["keys"])

    def find(self, clip: str) -> PacketIndex | None:
        """The index of a clip; None if the file has none."""
        key, keys = np.uint64(key_of(clip)), self._arrays["keys"]
        for number in range(int(np.searchsorted(keys, key)), len(keys)):
            if keys[number] != key:
                return None
            record = self._arrays["records"][number]
            if self._take(record, "ids").tobytes() == clip.encode():
                return self._index(record)
        return None

    def _take(self, record: np.void, name: str) -> NDArray[Any]:
        start = int(record[f"{name}_start"])
        return self._arrays[name][start : start + int(record[f"{name}_count"])]

    def _index(self, record: np.void) -> PacketIndex:
        sizes = self._take(record, "sizes").astype(np.int64)
        # One contiguous row per flag: NumPy searches columns of a table fifty times more slowly.
        flags = np.unpackbits(self._take(record, "flags")[None], axis=0, count=len(_FLAGS)).astype(np.bool_)
        ticks = self._take(record, "wide_ticks" if record["wide_ticks_count"] else "ticks").astype(np.int64)
        offsets = self._take(record, "offsets")
        seconds = self._take(record, "source_seconds")
        return PacketIndex(
            codec=record["codec"].decode(),
            extradata=self._take(record, "extradata").tobytes(),
            width=int(record["width"]),
            height=int(record["height"]),
            rotation=int(record["rotation"]),
            time_base=Fraction(int(record["time_numerator"]), int(record["time_denominator"])),
            frames_per_second=float(record["rate"]),
            offsets=np.array(offsets) if len(offsets) else _back_to_back(int(record["first_offset"]), sizes),
            sizes=sizes,
            times=ticks * int(record["time_step"]) + int(record["first_time"]),
            keyframes=flags[0],
            droppable=flags[1],
            discarded=flags[2],
            source_seconds=np.array(seconds) if len(seconds) else None,
            stamp=FileStamp(
                int(record["stamp_bytes"]),
                int(record["stamp_mtime_ns"]),
                record["fingerprint"].decode(),
                int(record["stamp_start"]),
            ),
        )


def _describe(record: np.void, index: PacketIndex) -> None:
    """Fills the fields of one clip that have a fixed length."""
    record["codec"], record["fingerprint"] = index.codec.encode(), index.stamp.fingerprint.encode()
    record["width"], record["height"], record["rotation"] = index.width, index.height, index.rotation
    record["rate"] = index.frames_per_second
    record["time_numerator"], record["time_denominator"] = index.time_base.as_integer_ratio()
    record["first_offset"], record["first_time"] = index.offsets[0], index.times.min()
    # Times are multiples of the frame's duration, nearly always: as such they fit in half the bytes.
    record["time_step"] = max(int(np.gcd.reduce(index.times - index.times.min())), 1)
    record["stamp_bytes"], record["stamp_mtime_ns"] = index.stamp.bytes, index.stamp.mtime_ns
    record["stamp_start"] = index.stamp.start


def _ragged(clip: str, index: PacketIndex, record: np.void) -> dict[str, NDArray[Any]]:
    contiguous = np.array_equal(index.offsets, _back_to_back(int(index.offsets[0]), index.sizes))
    flags = np.stack([getattr(index, name) for name in _FLAGS], axis=1)
    ticks = (index.times - record["first_time"]) // record["time_step"]
    wide = ticks.max() > np.iinfo(np.int32).max
    nothing = np.empty(0)
    return {
        "ids": _bytes(clip.encode()),
        "extradata": _bytes(index.extradata),
        "sizes": index.sizes,
        "ticks": nothing if wide else ticks,
        "wide_ticks": ticks if wide else nothing,
        "flags": np.packbits(flags, axis=1)[:, 0],
        "offsets": nothing if contiguous else index.offsets,
        "source_seconds": nothing if index.source_seconds is None else index.source_seconds,
    }


def _back_to_back(first: int, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return first + np.cumsum(sizes) - sizes


def _bytes(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8)


def _place(array: h5py.Dataset) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    """First byte, shape and type. An empty array has no place in the file."""
    offset = array.id.get_offset()
    if offset is None and array.size:
        raise ValueError(f"{array.name} is compressed or in chunks")
    return offset or 0, array.shape, array.dtype


def _mapped(data: NDArray[np.uint8], offset: int, shape: Sequence[int], kind: np.dtype[Any]) -> NDArray[Any]:
    size = int(np.prod(shape)) * kind.itemsize
    return data[offset : offset + size].view(kind).reshape(shape)
