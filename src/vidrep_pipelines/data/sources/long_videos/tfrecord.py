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

import google_crc32c

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import plain_disguise_of


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of some bytes; 0xE3069283 for b"123456789"."""
    return int(google_crc32c.value(bytes(data)))


def masked_crc32c(data: bytes | memoryview) -> int:
    """The checksum as TFRecord files store it: turned, and moved by a constant."""
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


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
