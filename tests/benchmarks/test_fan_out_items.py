from pathlib import Path

from benchmarks import fan_out_items
from vidrep_pipelines.fanout.journal import journal_files, read_journal


def test_ours_and_the_pool_find_and_record_the_same(tmp_path: Path) -> None:
    ours = fan_out_items.our_facts(30, tmp_path / "ours")
    assert [row["square"] for row in ours] == fan_out_items.pooled(30, tmp_path / "pool")
    rows = [row for path in journal_files(tmp_path / "pool") for _, row in read_journal(path)]
    assert sorted(row["id"] for row in rows) == [row["id"] for row in ours]
    assert {row["facts"]["square"] for row in rows} == {number**2 for number in range(30)}
