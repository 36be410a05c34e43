import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.fanout import plan as plan_module
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.item_table import ItemTable, check_ids
from vidrep_pipelines.fanout.plan import Plan, make_plan
from vidrep_pipelines.fanout.records import read_records

NAMES = ["a", "b", "c/d", "c/e"]
RECORDS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["ok", "failed"]), st.sampled_from(["new", "old"])),
    max_size=8,
)


def _write(folder: Path, records: list[tuple[str, str, str]]) -> None:
    journals = Bookkeeping(folder).journals
    journals.mkdir(parents=True, exist_ok=True)
    fixed = {"error": None, "seconds": 0.0, "bytes": 0, "attempts": 1, "facts": {}}
    rows = [{"id": name, "status": status, "digest": digest, **fixed} for name, status, digest in records]
    (journals / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _plan(names: list[str], folder: Path, retry: bool = False, suffixes: tuple[str, ...] = ()) -> Plan:
    items = ItemTable.of(names, ["new"] * len(names), lambda _: None)
    hash_key = check_ids("test", items)
    records = read_records([Bookkeeping(folder)], hash_key)
    return make_plan(items, records, folder, suffixes, retry_failed=retry, hash_key=hash_key)


def _expected(name: str, records: list[tuple[str, str, str]], retry: bool) -> int:
    """The number of the record that counts, by the rule: what was made last, else what failed since."""
    own = [(number, *rest) for number, (owner, *rest) in enumerate(records) if owner == name]
    made = [(number, digest) for number, status, digest in own if status == "ok"][-1:]
    if made and made[0][1] == "new":
        return made[0][0]
    failed = [(number, digest) for number, status, digest in own if status == "failed"][-1:]
    return failed[0][0] if failed and failed[0][1] == "new" and not retry else -1


@given(records=RECORDS, names=st.lists(st.sampled_from(NAMES), unique=True), retry=st.booleans())
@settings(deadline=None)
def test_against_the_rule_written_out(
    records: list[tuple[str, str, str]],
    names: list[str],
    retry: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    _write(folder, records)
    plan = _plan(names, folder, retry)
    expected = [_expected(name, records, retry) for name in names]
    assert plan.rows.tolist() == expected
    assert plan.pending.tolist() == [place for place, number in enumerate(expected) if number < 0]
    assert plan.finished == sum(number >= 0 for number in expected)
    assert plan.failed == sum(number >= 0 and records[number][1] == "failed" for number in expected)
    remembered = [_expected(name, records, retry=False) for name in names]
    known = {name for name, _, _ in records}
    assert plan.out_of_date == sum(
        number < 0 and name in known for name, number in zip(names, remembered, strict=True)
    )
    assert plan.dropped == len(known - set(names))


def test_a_failure_counts_when_the_product_is_gone_since(tmp_path: Path) -> None:
    _write(tmp_path, [("a", "ok", "new"), ("a", "failed", "new"), ("b", "failed", "new"), ("b", "ok", "new")])
    assert _plan(["a", "b"], tmp_path, suffixes=(".txt",)).rows.tolist() == [1, -1]
    for name in "ab":
        (tmp_path / f"{name}.txt").touch()
    assert _plan(["a", "b"], tmp_path, suffixes=(".txt",)).rows.tolist() == [0, 3]


def test_each_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{folder}{number}" for number in range(50) for folder in ("a/", "b/", "")]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").touch()
    _write(tmp_path, [(name, "ok", "new") for name in names])
    (tmp_path / "b" / "7.txt").unlink()
    listed: list[Path] = []
    real = plan_module._listing

    def counted(directory: Path) -> dict[str, int]:
        listed.append(directory)
        return real(directory)

    monkeypatch.setattr(plan_module, "_listing", counted)
    plan = _plan(names, tmp_path, suffixes=(".txt",))
    assert [names[position] for position in plan.pending] == ["b/7"]
    assert sorted(listed) == [tmp_path, tmp_path / "a", tmp_path / "b"]
