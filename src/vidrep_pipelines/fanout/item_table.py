"""The items of a job as columns: a hundred bytes per item instead of a Python object each."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray
from pandas.util import hash_array

from vidrep_pipelines.common.digest import plain
from vidrep_pipelines.common.item_id import UNUSABLE_ID
from vidrep_pipelines.common.text import is_utf8
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.shard import Shard

Keys = NDArray[np.uint64]
Positions = NDArray[np.int64]

_ROWS_AT_ONCE = 100_000
_HASH_KEYS = ("vidrep-fanout-00", "vidrep-fanout-01", "vidrep-fanout-02")


@dataclass(frozen=True, eq=False)
class ItemTable(Sequence[Item]):
    """A sequence of items that makes each :class:`Item` when it is asked for.

    Attributes:
        ids: Id of every item, strings (N,).
        digests: Digest of every item, strings (N,).
        payload: The payload of the item at a position.
    """

    ids: pa.ChunkedArray
    digests: pa.ChunkedArray
    payload: Callable[[int], Any]

    @classmethod
    def of(cls, ids: Iterable[str], digests: Iterable[str], payload: Callable[[int], Any]) -> "ItemTable":
        """Builds the table from any columns of text: lists, generators, pandas or Arrow columns.

        Raises:
            FanOutError: The columns have different lengths, or an id is not valid Unicode.
        """
        table = cls(_text_column(ids), _text_column(digests), payload)
        if len(table.ids) != len(table.digests):
            raise FanOutError(f"There are {len(table.ids)} ids but {len(table.digests)} digests.")
        return table

    @classmethod
    def wrap(cls, items: Sequence[Item]) -> "ItemTable":
        """The same items with their ids and digests as columns."""
        if isinstance(items, cls):
            return items
        ids, digests = (item.id for item in items), (item.digest for item in items)
        return cls.of(ids, digests, lambda position: items[position].payload)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, position: int) -> Item: ...
    @overload
    def __getitem__(self, position: slice) -> "ItemTable": ...
    def __getitem__(self, position: int | slice) -> "Item | ItemTable":
        if isinstance(position, slice):
            return self.take(np.arange(len(self))[position])
        number = range(len(self))[position]
        return Item(self.ids[number].as_py(), self.payload(number), self.digests[number].as_py())

    def take(self, positions: Positions) -> "ItemTable":
        """The items at these positions."""
        payload, indices = self.payload, pa.array(positions)
        return ItemTable(
            self.ids.take(indices), self.digests.take(indices), lambda number: payload(int(positions[number]))
        )

    def of_shard(self, shard: Shard) -> "ItemTable":
        """The items that belong to a shard, in the same order."""
        inside = (name in shard for piece in _pieces(self.ids) for name in piece.to_pylist())
        return self.take(np.flatnonzero(np.fromiter(inside, bool, len(self))))

    def at(self, positions: Positions) -> Iterator[Item]:
        """The items at these positions, one after the other."""
        return (self[position] for position in positions.tolist())

    def digest(self, suffixes: tuple[str, ...]) -> str:
        """Changes whenever an item is added, removed, moved or changed, or other products are wanted."""
        state = hashlib.blake2b(json.dumps(suffixes).encode(), digest_size=8)
        for column in (self.ids, self.digests):
            for piece in _pieces(column):
                state.update("\n".join(["", *piece.to_pylist()]).encode())
        return state.hexdigest()


def row_digests(constants: Sequence[Any], *columns: Iterable[Any]) -> Iterator[str]:
    """``digest_of(*constants, *row)`` for every row of the columns, a hundred times faster than one by one.

    Args:
        constants: What is the same for all rows: configurations, versions.
        columns: Plain numbers and texts, for example sizes and times of files; at least one column.
    """
    encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
    head = (encode(plain(list(constants)))[:-1] + ("," if constants else "")).encode()

    def texts(column: Iterable[Any]) -> Iterator[str]:
        for value in _plain_values(column):  # whole numbers nearly always, which need no encoder
            yield str(value) if type(value) is int else encode(value)

    for row in zip(*map(texts, columns), strict=True):
        yield hashlib.blake2b(head + ",".join(row).encode() + b"]", digest_size=8).hexdigest()


def _plain_values(column: Iterable[Any]) -> Iterator[Any]:
    """Python's own numbers and texts, made piece by piece."""
    values = getattr(
        column, "array", column
    )  # a pandas column is addressed by labels, its array by positions
    if not isinstance(values, np.ndarray | ExtensionArray):
        yield from values
        return
    for start in range(0, len(values), _ROWS_AT_ONCE):
        yield from np.asarray(values[start : start + _ROWS_AT_ONCE]).tolist()


def check_ids(name: str, items: ItemTable) -> str:
    """Refuses ids that are used twice or would write outside of the job's folder.

    Returns:
        The hash key with which :func:`keys_of` gives every id a number of its own.

    Raises:
        FanOutError: Names the first offending ids.
    """
    bad = items.ids.filter(pc.match_substring_regex(items.ids, UNUSABLE_ID))
    if len(bad):
        raise _bad_ids(name, len(bad), bad[:3].to_pylist())
    for hash_key in _HASH_KEYS:
        shared = _positions_of_shared(keys_of(items.ids, hash_key))
        names = items.ids.take(pa.array(shared)).to_pylist()
        if len(set(names)) < len(names):
            repeated = list(dict.fromkeys(text for text in names if names.count(text) > 1))[:3]
            raise FanOutError(
                f"{name}: ids occur more than once, such as {repeated}. Remedy: give every item its own id "
                "(two files that differ only in their ending get the same one)."
            )
        if not names:
            break
    return hash_key


def keys_of(texts: pa.ChunkedArray | pa.Array, hash_key: str) -> Keys:
    """A 64-bit hash of every text, (N,)."""
    pieces = [hash_array(_objects(piece), hash_key=hash_key, categorize=False) for piece in _pieces(texts)]
    return np.concatenate([np.empty(0, np.uint64), *pieces])


def _objects(piece: pa.Array) -> NDArray[np.object_]:
    return np.asarray(piece.to_numpy(zero_copy_only=False), dtype=object)


def _positions_of_shared(keys: Keys) -> Positions:
    """Up to a thousand positions, ascending, whose key occurs elsewhere too."""
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    return np.unique(np.concatenate([order[1:][same], order[:-1][same]]))[:1000]


def _pieces(column: pa.ChunkedArray | pa.Array) -> Iterator[pa.Array]:
    for start in range(0, len(column), _ROWS_AT_ONCE):
        piece = column.slice(start, _ROWS_AT_ONCE)
        yield piece.combine_chunks() if isinstance(piece, pa.ChunkedArray) else piece


def _text_column(texts: Iterable[str]) -> pa.ChunkedArray:
    """Chunks of bounded size, so that no chunk outgrows 32-bit offsets."""
    if isinstance(texts, pa.ChunkedArray):  # of a table, whose texts are valid
        if texts.null_count:
            raise _bad_ids("items", texts.null_count, [None])
        return pa.chunked_array([piece.cast(pa.string()) for piece in _pieces(texts)], pa.string())
    pieces, piece = [], []
    for text in texts:
        piece.append(text)
        if len(piece) == _ROWS_AT_ONCE:
            pieces.append(_text_array(piece))
            piece = []
    return pa.chunked_array([*pieces, _text_array(piece)], pa.string())


def _text_array(texts: list[str]) -> pa.Array:
    bad = [text for text in texts if not is_utf8(text)]
    if bad:
        raise _bad_ids("items", len(bad), bad[:3])
    return pa.array(texts, pa.string())


def _bad_ids(name: str, count: int, examples: Sequence[str | None]) -> FanOutError:
    return FanOutError(
        f"{name}: {count} ids are not relative paths that can be written below a folder, such as "
        f"{examples!a}. Remedy: rename these files."
    )
