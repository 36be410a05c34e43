import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fanout.jobs import LOCAL, products, value_job
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.fanout import item_table
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.item_table import ItemTable, check_ids, keys_of, row_digests
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.fanout.shard import Shard


class Options(FrozenConfig):
    """Something that a digest covers."""

    size: int = 3
    name: str = "é"


@given(
    rows=st.lists(st.tuples(st.integers(), st.text(st.characters(exclude_categories=["Cs"])), st.booleans()))
)
@settings(deadline=None)
def test_digests_of_rows_are_those_of_each_row(rows: list[tuple[int, str, bool]]) -> None:
    columns = list(zip(*rows, strict=True)) or [[], [], []]
    for constants in ([], [Options()], [Options(), Path("a/b"), 0.5]):
        assert list(row_digests(constants, *columns)) == [digest_of(*constants, *row) for row in rows]


def test_digests_of_table_columns() -> None:
    frame = pd.DataFrame({"bytes": [1, 2], "time": np.array([3, 4], np.int32), "name": ["x", "y"]})
    found = row_digests((), frame["bytes"], frame["time"].to_numpy(), frame["name"][::-1][::-1])
    assert list(found) == [digest_of(1, 3, "x"), digest_of(2, 4, "y")]


def test_columns_of_a_table_are_taken_as_they_are() -> None:
    ids = pa.chunked_array([pa.array(["é", "b"], pa.large_string()), pa.array(["c"], pa.large_string())])
    table = ItemTable.of(ids, "xyz", int)
    assert list(table) == [Item("é", 0, "x"), Item("b", 1, "y"), Item("c", 2, "z")]
    assert table.digest(()) == ItemTable.of(["é", "b", "c"], "xyz", int).digest(())
    with pytest.raises(FanOutError, match="1 ids are not relative paths"):
        ItemTable.of(pa.chunked_array([pa.array(["a", None])]), "xy", int)


def test_a_table_is_a_sequence_of_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_table, "_ROWS_AT_ONCE", 2)
    plain = [Item(f"id {number}", number * 10, f"digest {number}") for number in range(5)]
    table = ItemTable.of(
        pd.Series([item.id for item in plain]), (item.digest for item in plain), lambda row: row * 10
    )
    assert list(table) == plain
    assert table[-1] == plain[-1]
    assert list(table[1:4]) == plain[1:4]
    assert list(table[1:][::2]) == plain[1:][::2]
    assert list(table.at(np.array([3, 0]))) == [plain[3], plain[0]]
    assert ItemTable.wrap(table) is table
    assert list(ItemTable.wrap(plain)) == plain
    with pytest.raises(IndexError):
        table[5]


def test_the_digest_depends_neither_on_pieces_nor_on_how_items_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = value_job(range(7))
    whole = ItemTable.wrap(job.items).digest((".a",))
    names, digests = [item.id for item in job.items], [item.digest for item in job.items]
    monkeypatch.setattr(item_table, "_ROWS_AT_ONCE", 3)
    assert ItemTable.of(names, digests, lambda _: None).digest((".a",)) == whole
    assert ItemTable.of(names, digests, lambda _: None).digest((".b",)) != whole
    assert ItemTable.of(names[::-1], digests, lambda _: None).digest((".a",)) != whole
    assert ItemTable.of(names, digests[::-1], lambda _: None).digest((".a",)) != whole


def test_columns_that_do_not_fit() -> None:
    with pytest.raises(FanOutError, match="2 ids but 1 digests"):
        ItemTable.of(["a", "b"], ["d"], lambda _: None)
    with pytest.raises(FanOutError, match="1 ids are not relative paths"):
        ItemTable.of(["a", "b\udcff"], ["d", "d"], lambda _: None)


def test_a_table_runs_like_a_list(tmp_path: Path) -> None:
    job = value_job(range(6), LOCAL)
    payloads = [item.payload for item in job.items]
    table = ItemTable.of((i.id for i in job.items), (i.digest for i in job.items), payloads.__getitem__)
    first = run_job(job, tmp_path / "list")
    second = run_job(replace(job, items=table), tmp_path / "table")
    assert first.content_digest == second.content_digest
    assert products(tmp_path / "list") == products(tmp_path / "table")


def test_only_pending_payloads_are_made(tmp_path: Path) -> None:
    made: list[int] = []

    def payload(row: int) -> dict[str, int]:
        made.append(row)
        return {"value": row}

    job = replace(value_job([]), items=ItemTable.of("abc", "xyz", payload))
    run_job(job, tmp_path)
    assert made == [0, 1, 2]
    (tmp_path / "b.txt").unlink()
    run_job(job, tmp_path)
    assert made == [0, 1, 2, 1]


def test_hashes_that_collide_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if two different ids had the same 64-bit hash with the first key."""
    used: list[str] = []

    def colliding(texts: np.ndarray, hash_key: str, categorize: bool) -> np.ndarray:
        used.append(hash_key)
        if hash_key == "vidrep-fanout-00":
            return np.ones(len(texts), np.uint64)
        digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
        return np.array([int.from_bytes(digest) for digest in digests], np.uint64)

    monkeypatch.setattr(item_table, "hash_array", colliding)
    job = value_job(range(4))
    assert check_ids("job", ItemTable.wrap(job.items)) == "vidrep-fanout-01"
    for _ in range(2):
        assert run_job(job, tmp_path).table["value"].tolist() == [0, 1, 2, 3]
    assert set(used) == {"vidrep-fanout-00", "vidrep-fanout-01"}
    twice = ItemTable.of("abca", "abca", lambda _: None)
    with pytest.raises(FanOutError, match=r"more than once, such as \['a'\]"):
        check_ids("job", twice)


def test_keys_of_many_texts_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    table = ItemTable.of([f"é{number}" for number in range(10)], "0123456789", lambda _: None)
    whole = keys_of(table.ids, "vidrep-fanout-00")
    monkeypatch.setattr(item_table, "_ROWS_AT_ONCE", 3)
    assert (keys_of(table.ids, "vidrep-fanout-00") == whole).all()
    assert len(np.unique(whole)) == 10
    assert keys_of(table.ids.slice(0, 0), "vidrep-fanout-00").shape == (0,)


@given(
    names=st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True), count=st.integers(1, 7)
)
@settings(deadline=None)
def test_shards_are_a_partition_that_keeps_the_order(names: list[str], count: int) -> None:
    table = ItemTable.of(names, names, lambda row: row)
    shards = [table.of_shard(Shard(number, count)) for number in range(1, count + 1)]
    assert sorted(item.payload for shard in shards for item in shard) == list(range(len(names)))
    for shard in shards:
        assert [item.payload for item in shard] == sorted(item.payload for item in shard)
        assert all(item.id == names[item.payload] for item in shard)
