"""Contents of a ``tf.train.SequenceExample`` or ``tf.train.Example``, read from protocol buffer bytes.

Only what the message can hold is read: byte strings and whole numbers, per context feature and per list; of
the second kind, floating point numbers, too.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.sources.long_videos.tfrecord import CorruptRecordError

Values = list[bytes] | list[int]
Features = dict[str, Values | NDArray[np.float32]]
Field = tuple[int, int | bytes]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_CONTEXT, _LISTS = 1, 2
_KEY, _VALUE = 1, 2
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3


@dataclass(frozen=True)
class SequenceExample:
    """One record.

    Attributes:
        context: Values of the whole record by name.
        lists: Values of each step by name.
    """

    context: dict[str, Values]
    lists: dict[str, list[Values]]


def parse_sequence_example(payload: bytes) -> SequenceExample:
    """Reads a record. Floating point features are passed over.

    Raises:
        CorruptRecordError: The bytes are no such message.
    """
    context: dict[str, Values] = {}
    lists: dict[str, list[Values]] = {}
    try:
        for number, content in _fields(memoryview(payload)):
            for name, value in _entries(content):
                if number == _CONTEXT:
                    context[name] = _feature(value)
                elif number == _LISTS:
                    lists[name] = [_feature(step) for _, step in _fields(memoryview(value))]
    except (ValueError, IndexError, UnicodeDecodeError, TypeError) as error:
        raise CorruptRecordError(f"the record is no tf.train.SequenceExample ({error})") from error
    return SequenceExample(context, lists)


def parse_example(payload: bytes, names: Collection[str]) -> Features:
    """Reads features of a ``tf.train.Example``; floating point ones as (N,) float32.

    Args:
        payload: The record.
        names: The features that are wanted; those that it does not have are left out.

    Raises:
        CorruptRecordError: The bytes are no such message.
    """
    features: Features = {}
    try:
        for number, content in _fields(memoryview(payload)):
            for name, value in _entries(content) if number == _CONTEXT else ():
                if name in names:
                    floats = _floats(value)
                    features[name] = _feature(value) if floats is None else floats
    except (ValueError, IndexError, UnicodeDecodeError, TypeError) as error:
        raise CorruptRecordError(f"the record is no tf.train.Example ({error})") from error
    return features


def _entries(content: int | bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values of a map."""
    for _, entry in _fields(_message(content)):
        fields = dict(_fields(_message(entry)))
        yield _message(fields.get(_KEY, b"")).tobytes().decode(), _message(fields.get(_VALUE, b"")).tobytes()


def _feature(content: int | bytes) -> Values:
    for kind, values in _fields(_message(content)):
        if kind == _BYTES_LIST:
            return [_message(value).tobytes() for _, value in _fields(_message(values))]
        if kind == _INT64_LIST:
            return [number for _, value in _fields(_message(values)) for number in _integers(value)]
    return []


def _floats(content: bytes) -> NDArray[np.float32] | None:
    """The numbers of a feature of floating point ones, packed as they are always written; else none."""
    for kind, values in _fields(memoryview(content)):
        if kind == _FLOAT_LIST:
            packed = b"".join(_message(value) for _, value in _fields(_message(values)))
            return np.frombuffer(packed, "<f4").astype(np.float32)
    return None


def _integers(value: int | bytes) -> Iterator[int]:
    """The numbers of a field: one, or all packed into one string."""
    if isinstance(value, int):
        yield _signed(value)
        return
    position = 0
    while position < len(value):
        number, position = _varint(memoryview(value), position)
        yield _signed(number)


def _signed(number: int) -> int:
    """Negative numbers are stored as two's complement of 64 bits."""
    return number - (1 << 64) if number >> 63 else number


def _message(value: int | bytes) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number stands where a message is expected")
    return memoryview(value)


def _fields(data: memoryview) -> Iterator[Field]:
    """The fields of a message: number, and value or bytes; fixed-width ones are passed over."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            number, position = _varint(data, position)
            yield tag >> 3, number
            continue
        if kind == _BYTES:
            length, position = _varint(data, position)
        elif kind in {_FIXED64, _FIXED32}:
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if position + length > len(data):
            raise ValueError("a field is longer than its message")
        if kind == _BYTES:
            yield tag >> 3, bytes(data[position : position + length])
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits per byte, lowest first, and the position behind it."""
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, position
        if shift > 63:
            raise ValueError("a number has more than ten bytes")
