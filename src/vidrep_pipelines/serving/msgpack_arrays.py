"""Messages in MessagePack with NumPy arrays, as openpi and vla-eval write them, read within bounds.

Nothing is built by name: a message becomes plain values first, then maps that are marked as arrays become
arrays of numbers of known types. Keys are bytes in openpi's wire and texts in vla-eval's; both are read.
"""

from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.serving.encoded_pictures import PictureError, picture_of_file
from vidrep_pipelines.serving.questions import RefusedError

KINDS = "biuf"
"""Booleans, integers and floating numbers; no objects, no records, no texts."""

MOST_CONTAINERS, MOST_ENTRIES, MOST_DEPTH, MOST_AXES = 2048, 4096, 16, 6
_MOST_TEXT = 65_536


def unpacked(data: bytes, side: int) -> dict[str, Any]:
    """The map in a message, with texts for keys.

    Args:
        data: The message, already bounded in size.
        side: The longest side of a compressed picture, in pixels.

    Raises:
        RefusedError: It is no map in MessagePack, or has more in it than is taken.
    """
    counter = _Counter()
    try:
        tree = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            list_hook=counter.counted,
            object_hook=counter.counted,
            max_str_len=_MOST_TEXT,
            max_bin_len=len(data),
            max_array_len=MOST_ENTRIES,
            max_map_len=MOST_ENTRIES,
            max_ext_len=0,
        )
    except RefusedError:
        raise
    except Exception as error:  # the library raises its own, ValueError, TypeError and Unicode's
        raise RefusedError(
            422, f"The message is no MessagePack within the bounds ({type(error).__name__})."
        ) from error
    if not isinstance(tree, dict):
        raise RefusedError(422, "The message is no map.")
    return {key: _plain(value, side, 1) for key, value in _texts(tree).items()}


def packed(tree: Mapping[str, Any], *, bytes_keys: bool) -> bytes:
    """A message, arrays in it in openpi's wire (``bytes_keys``) or in vla-eval's."""

    def marked(value: object) -> object:
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{type(value).__name__} cannot be sent.")
        entries = {
            "__ndarray__": True,
            "data": np.ascontiguousarray(value).tobytes(),
            "dtype": value.dtype.str,
            "shape": list(value.shape),
        }
        return {key.encode(): entry for key, entry in entries.items()} if bytes_keys else entries

    data: bytes = msgpack.packb(dict(tree), default=marked, use_bin_type=True)
    return data


class _Counter:
    """Counts lists and maps while they are read: a byte each is enough to fill the memory."""

    def __init__(self) -> None:
        self._count = 0

    def counted(self, value: Any) -> Any:
        self._count += 1
        if self._count > MOST_CONTAINERS:
            raise RefusedError(413, f"The message has more than {MOST_CONTAINERS} lists and maps.")
        return value


def _plain(value: Any, side: int, depth: int) -> Any:
    if depth > MOST_DEPTH:
        raise RefusedError(413, f"The message is nested deeper than {MOST_DEPTH} levels.")
    if isinstance(value, list):
        return [_plain(entry, side, depth + 1) for entry in value]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if not isinstance(value, dict):
        raise RefusedError(422, "The message holds a type that MessagePack leaves to its users.")
    entries = _texts(value)
    if "__image__" in entries:
        return _picture(entries, side)
    if "__ndarray__" in entries:
        return _array(entries)
    if "__npgeneric__" in entries:
        return _scalar(entries)
    return {key: _plain(entry, side, depth + 1) for key, entry in entries.items()}


def _texts(entries: dict[Any, Any]) -> dict[str, Any]:
    try:
        return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in entries.items()}
    except UnicodeDecodeError as error:
        raise RefusedError(422, "A key of the message is no text.") from error


def _dtype(entries: dict[str, Any]) -> np.dtype[Any]:
    name = entries.get("dtype")
    name = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    try:
        if not isinstance(name, str) or len(name) > 16 or "," in name:
            raise TypeError(name)
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError) as error:
        raise RefusedError(422, "An array's type is unknown.") from error
    if dtype.kind not in KINDS or dtype.hasobject or dtype.itemsize > 16 or dtype.shape:
        raise RefusedError(422, f"An array is of the type {dtype.name[:20]!r}; only plain numbers are taken.")
    return dtype


def _array(entries: dict[str, Any]) -> NDArray[Any]:
    dtype, data, shape = _dtype(entries), entries.get("data"), entries.get("shape")
    if not isinstance(data, bytes):
        raise RefusedError(422, "An array has no bytes.")
    if (
        not isinstance(shape, list)
        or len(shape) > MOST_AXES
        or any(type(length) is not int or not 0 <= length <= len(data) for length in shape)
    ):
        raise RefusedError(422, "An array's shape is no list of a few lengths.")
    announced = dtype.itemsize * int(np.prod([1, *shape], dtype=object))
    if announced != len(data):
        raise RefusedError(422, f"An array announces {announced} bytes, and {len(data)} were sent.")
    return np.frombuffer(data, dtype).reshape(shape)


def _scalar(entries: dict[str, Any]) -> Any:
    value = entries.get("data")
    if not isinstance(value, bool | int | float):
        raise RefusedError(422, "A number is none.")
    try:
        return _dtype(entries).type(value).item()
    except (OverflowError, ValueError) as error:
        raise RefusedError(422, "A number does not fit its type.") from error


def _picture(entries: dict[str, Any], side: int) -> NDArray[Any]:
    kind, data = entries.get("format"), entries.get("data")
    if kind == "raw":
        return _array(entries)
    if kind not in ("png", "jpeg") or not isinstance(data, bytes):
        raise RefusedError(422, "A picture is no PNG, JPEG or raw array.")
    try:
        return picture_of_file(data, kind, side)
    except PictureError as error:
        raise RefusedError(error.status, f"A picture: {error}.") from error
