"""Framing of TFRecord files, without TensorFlow.

Each record is a length (uint64, little endian), the masked checksum of those eight bytes, the payload, and
the masked checksum of the payload.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_CUR
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import plain_disguise_of

Words = NDArray[np.uint32]

_POLYNOMIAL = np.uint32(0x82F63B78)  # bits reversed
_ALL_ONES = np.uint32(0xFFFFFFFF)
_BITS = np.arange(32, dtype=np.uint32)
_LANE_BYTES = 256
"""Steps taken one after the other when there are many lanes; long enough to make joining them cheap."""


def _byte_table() -> Words:
    states = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = (states >> np.uint32(1)) ^ np.where(states & np.uint32(1), _POLYNOMIAL, np.uint32(0))
    return states


_TABLE = _byte_table()


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of some bytes; 0xE3069283 for b"123456789"."""
    content = np.frombuffer(data, np.uint8)
    lanes = 1 << max(len(content) // _LANE_BYTES, 1).bit_length() - 1
    steps = -(-max(len(content), 4) // lanes)
    # Zeros in front do not change a state of zero. The usual start of all ones equals inverting 4 bytes.
    padded = np.zeros(lanes * steps, np.uint8)
    start = len(padded) - len(content)
    padded[start:] = content
    if len(content) < 4:
        return _of_few(content)
    padded[start : start + 4] ^= 0xFF
    states = np.zeros(lanes, np.uint32)
    for column in np.ascontiguousarray(padded.reshape(lanes, steps).T):
        states = _TABLE[(states ^ column) & np.uint32(0xFF)] ^ (states >> np.uint32(8))
    return int(_joined(states, steps) ^ _ALL_ONES)


def masked_crc32c(data: bytes | memoryview) -> int:
    """The checksum as TFRecord files store it: turned, and moved by a constant."""
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _of_few(content: NDArray[np.uint8]) -> int:
    state = _ALL_ONES
    for byte in content:
        state = _TABLE[(state ^ byte) & np.uint32(0xFF)] ^ (state >> np.uint32(8))
    return int(state ^ _ALL_ONES)


def _joined(states: Words, lane_bytes: int) -> np.uint32:
    """The state after all lanes, of which there are a power of two."""
    operator = _zeros_operator(lane_bytes)
    while len(states) > 1:
        states = _apply(operator, states[::2]) ^ states[1::2]
        operator = _apply(operator, operator)
    return np.uint32(states[0])


def _zeros_operator(count: int) -> Words:
    """(32,) what each bit of a state becomes when ``count`` zero bytes follow."""
    bits = np.uint32(1) << _BITS
    power = _TABLE[bits & np.uint32(0xFF)] ^ (bits >> np.uint32(8))
    result = bits
    while count:
        if count & 1:
            result = _apply(power, result)
        power = _apply(power, power)
        count >>= 1
    return result


def _apply(operator: Words, states: Words) -> Words:
    """Applies a linear operator to each of (N,) states."""
    columns = np.where(states[:, None] >> _BITS & np.uint32(1), operator, np.uint32(0))
    result: Words = np.bitwise_xor.reduce(columns, axis=1)
    return result


_HEAD, _CHECKSUM = struct.Struct("<QI"), struct.Struct("<I")
_LOST = "nothing after it can be found, for "


class CorruptRecordError(InputError):
    """A record is cut off, or its bytes are not those that were written."""


@dataclass(frozen=True)
class RecordPlace:
    """Where a record is, and whether its framing is whole.

    Attributes:
        number: Its number in the file, from 0.
        offset: First byte of the payload.
        length: Bytes of the payload.
        error: What is wrong with it; empty if nothing is.
    """

    number: int
    offset: int
    length: int
    error: str = ""


def scan_records(path: Path) -> Iterator[tuple[RecordPlace, bytes]]:
    """Yields every record with its payload, which is empty for a corrupt one.

    After a damaged payload the next record is found by the length; after a damaged length nothing is, so that
    record is the last one.

    Raises:
        InputError: The file cannot be opened, or is a pointer or a page in place of records.
    """
    with _records_file(path) as file:
        size = path.stat().st_size
        number = 0
        while head := file.read(_HEAD.size):
            offset = file.tell()
            length, problem = _checked_length(head, size - offset)
            payload = b"" if problem else file.read(length)
            if not problem and _CHECKSUM.unpack(file.read(_CHECKSUM.size))[0] != masked_crc32c(payload):
                problem = "the checksum (CRC-32C) of its payload does not match"
            place = RecordPlace(number, offset, length, _named(path, number, problem))
            yield place, b"" if problem else payload
            if problem.startswith(_LOST):
                return
            number += 1


def find_records(path: Path) -> Iterator[RecordPlace]:
    """Yields where every record is; payloads are skipped, so that damage inside of one is not seen.

    Raises:
        InputError: The file cannot be opened, or is a pointer or a page in place of records.
    """
    with _records_file(path) as file:
        size = path.stat().st_size
        number = 0
        while head := file.read(_HEAD.size):
            offset = file.tell()
            length, problem = _checked_length(head, size - offset)
            yield RecordPlace(number, offset, length, _named(path, number, problem))
            if problem:
                return
            file.seek(length + _CHECKSUM.size, SEEK_CUR)
            number += 1


def _records_file(path: Path) -> BinaryIO:
    if disguise := plain_disguise_of(path):
        raise InputError(f"{path} holds no records: {disguise}")
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _checked_length(head: bytes, rest: int) -> tuple[int, str]:
    """The length of a payload, and what is wrong if it cannot be trusted."""
    if len(head) < _HEAD.size:
        return 0, f"{_LOST}the file ends inside its length"
    length, checksum = _HEAD.unpack(head)
    if checksum != masked_crc32c(head[:8]):
        return 0, f"{_LOST}the checksum (CRC-32C) of its length does not match"
    if length + _CHECKSUM.size > rest:
        return length, f"{_LOST}the file ends inside it"
    return length, ""


def read_tfrecord(path: Path, place: RecordPlace) -> bytes:
    """Reads the payload of one record again and checks it.

    Raises:
        CorruptRecordError: It is not what it was when it was written.
    """
    try:
        with path.open("rb") as file:
            file.seek(place.offset)
            payload = file.read(place.length)
            checksum = file.read(_CHECKSUM.size)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if len(checksum) < _CHECKSUM.size or _CHECKSUM.unpack(checksum)[0] != masked_crc32c(payload):
        raise CorruptRecordError(_named(path, place.number, "its payload has changed since it was listed"))
    return payload


def _named(path: Path, number: int, problem: str) -> str:
    return f"{path.name}, record {number}: {problem}. Download the file again." if problem else ""
