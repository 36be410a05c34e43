import errno
import logging
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.fanout import item_functions
from tests.fanout.jobs import LOCAL, SERIAL, executions, faulty_job, products, value_job
from vidrep_pipelines.fanout import runner
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import DiskFullError, FanOutError
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.journal import JournalRow, JournalWriter
from vidrep_pipelines.fanout.runner import is_complete, load_parts, run_job
from vidrep_pipelines.fanout.shard import Shard


@pytest.mark.parametrize("config", [SERIAL, LOCAL], ids=["serial", "local"])
def test_products_facts_and_order(tmp_path: Path, config: FanOutConfig) -> None:
    parts = run_job(value_job([3, 1, 2], config), tmp_path)
    assert parts.ids == ["folder_1/item 3", "folder_1/item 1", "folder_0/item 2"]
    assert parts.path("folder_1/item 3").read_text() == ".txt 3"
    assert parts.path("folder_1/item 3", ".more.txt").read_text() == ".more.txt 3"
    assert parts.table["value"].tolist() == [3, 1, 2]
    assert parts.table["half"].tolist() == [1.5, 0.5, 1.0]
    assert parts.table["even"].tolist() == [False, False, True]
    assert parts.table["bytes"].tolist() == [len(".txt 3" + ".more.txt 3")] * 3
    assert parts.table["attempts"].tolist() == [1, 1, 1]
    assert len(products(tmp_path)) == 6


def test_engines_agree(tmp_path: Path) -> None:
    faults = {"a": None, "b": "raise", "c": None, "d": "bad input", "e": "no product"}
    serial = run_job(faulty_job(faults, SERIAL), tmp_path / "serial")
    local = run_job(faulty_job(faults, LOCAL), tmp_path / "local")
    pd.testing.assert_frame_equal(serial.table.drop(columns="seconds"), local.table.drop(columns="seconds"))
    assert products(tmp_path / "serial") == products(tmp_path / "local")
    assert serial.content_digest == local.content_digest


def test_second_run_does_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = value_job(range(4), log=str(tmp_path / "log"))
    first = run_job(job, tmp_path / "out")
    manifest = Bookkeeping(tmp_path / "out").manifest.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        second = run_job(job, tmp_path / "out")
    assert "values: up to date (4 items)" in caplog.text
    assert executions(tmp_path / "log") == [0, 1, 2, 3]
    assert Bookkeeping(tmp_path / "out").manifest.stat().st_mtime_ns == manifest
    pd.testing.assert_frame_equal(first.table, second.table)


def test_only_changed_items_are_redone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = value_job(range(4), log=str(tmp_path / "log"))
    first = run_job(job, tmp_path / "out")
    changed = [replace(item, digest="new") if item.payload["value"] == 2 else item for item in job.items]
    with caplog.at_level(logging.INFO):
        second = run_job(replace(job, items=changed), tmp_path / "out")
    assert executions(tmp_path / "log") == [0, 1, 2, 3, 2]
    assert "1 items are out of date" in caplog.text
    assert "values: 4 items, 3 done before, 1 done now, 0 failed" in caplog.text
    assert second.table["digest"].tolist() == ["digest 0", "digest 1", "new", "digest 3"]
    assert first.content_digest != second.content_digest


def test_going_back_to_old_parameters_redoes_what_was_overwritten(tmp_path: Path) -> None:
    old = value_job([0, 1], log=str(tmp_path / "log"))
    new = replace(old, items=[replace(item, digest="new") for item in old.items])
    for job in (old, new, old):
        run_job(job, tmp_path / "out")
    assert executions(tmp_path / "log") == [0, 1] * 3


def test_dropped_ids_leave_the_manifest_but_not_the_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_job(value_job(range(4)), tmp_path)
    with caplog.at_level(logging.INFO):
        parts = run_job(value_job([0, 2]), tmp_path)
    assert parts.ids == load_parts(tmp_path).ids == ["folder_0/item 0", "folder_0/item 2"]
    assert "2 items of an earlier run are no longer part" in caplog.text
    assert len(products(tmp_path)) == 8


@pytest.mark.parametrize("damage", ["removed", "truncated", "extended"])
def test_damaged_products_are_made_again(tmp_path: Path, damage: str) -> None:
    job = value_job(range(3), log=str(tmp_path / "log"))
    parts = run_job(job, tmp_path / "out")
    victim = parts.path("folder_1/item 1", ".more.txt")
    before = products(tmp_path / "out")
    match damage:
        case "removed":
            victim.unlink()
        case "truncated":
            victim.write_text("")
        case _:
            victim.write_text("something longer than it was")
    run_job(job, tmp_path / "out")
    assert executions(tmp_path / "log") == [0, 1, 2, 1]
    assert products(tmp_path / "out") == before


def test_failures_are_remembered_until_asked_for(tmp_path: Path) -> None:
    job = faulty_job({"good": None, "bad": "raise"}, SERIAL, log=str(tmp_path / "log"))
    parts = run_job(job, tmp_path / "out")
    assert parts.ids == ["good"]
    assert parts.failed["error"].tolist() == ["ValueError: cannot read '1'"]
    assert parts.table["value"].isna().tolist() == [False, True]
    assert str(parts.table["value"].dtype) == "Int64"
    run_job(job, tmp_path / "out")
    assert executions(tmp_path / "log") == [0, 1]
    run_job(replace(job, config=SERIAL.model_copy(update={"retry_failed": True})), tmp_path / "out")
    assert executions(tmp_path / "log") == [0, 1, 1]
    mended = [replace(item, payload={**item.payload, "fault": None}, digest="mended") for item in job.items]
    assert run_job(replace(job, items=mended), tmp_path / "out").ids == ["good", "bad"]


def test_failing_again_removes_products_of_the_earlier_version(tmp_path: Path) -> None:
    job = faulty_job({"clip": None}, SERIAL)
    run_job(job, tmp_path)
    item = replace(job.items[0], payload={"value": 0, "fault": "raise"}, digest="new")
    assert run_job(replace(job, items=[item]), tmp_path).ids == []
    assert products(tmp_path) == {}


def test_failures_are_shown_grouped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_job(faulty_job({"a": "raise", "b": "raise", "c": "bad input", "d": None}, SERIAL), tmp_path)
    assert "faults: 3 of 4 items failed" in caplog.text
    assert "      2  ValueError: cannot read '0' (a, b)" in caplog.text
    assert "      1  2 is no video (c)" in caplog.text
    listed = pd.read_csv(Bookkeeping(tmp_path).failures)
    assert listed["id"].tolist() == ["a", "b", "c"]
    assert str(Bookkeeping(tmp_path).failures) in caplog.text
    run_job(faulty_job({"a": None, "b": None}, SERIAL), tmp_path)
    assert Bookkeeping(tmp_path).failures.exists()  # same digests: still failed
    config = SERIAL.model_copy(update={"retry_failed": True})
    run_job(faulty_job({"a": None, "b": None, "d": None}, config), tmp_path)
    assert not Bookkeeping(tmp_path).failures.exists()


def test_many_files_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_ROWS_PER_FILE", 3)
    run_job(value_job(range(8)), tmp_path)
    assert len(list(Bookkeeping(tmp_path).manifest.glob("part-*.parquet"))) == 3
    assert load_parts(tmp_path).table["value"].tolist() == list(range(8))
    parts = run_job(value_job([9, *range(7, -1, -1)]), tmp_path)
    assert parts.table["value"].tolist() == [9, *range(7, -1, -1)]
    run_job(value_job([3]), tmp_path)
    assert len(list(Bookkeeping(tmp_path).manifest.glob("part-*.parquet"))) == 1


def test_too_many_failures_end_in_an_error_but_keep_the_work(tmp_path: Path) -> None:
    strict = SERIAL.model_copy(update={"max_failed_fraction": 0.4})
    job = faulty_job({"a": "raise", "b": None}, strict, log=str(tmp_path / "log"))
    for _ in range(2):
        with pytest.raises(FanOutError, match=r"1 of 2 items failed.*failures\.csv"):
            run_job(job, tmp_path / "out")
        assert not is_complete(tmp_path / "out")
    with pytest.raises(FanOutError, match="not finished"):
        load_parts(tmp_path / "out")
    parts = run_job(replace(job, config=SERIAL), tmp_path / "out")
    assert parts.ids == load_parts(tmp_path / "out").ids == ["b"]
    assert executions(tmp_path / "log") == [0, 1]


def test_no_items_and_rows_only(tmp_path: Path) -> None:
    assert run_job(value_job([]), tmp_path / "none").ids == []
    assert is_complete(tmp_path / "none")
    rows = replace(value_job([5]), suffixes=())
    assert run_job(rows, tmp_path / "rows").table["value"].tolist() == [5]
    assert products(tmp_path / "rows") == {}


def test_ids_with_unicode_spaces_dots_and_folders(tmp_path: Path) -> None:
    names = ["喝水/クリップ 1", "a.b/c.d.e", "deep/er/and/deeper/x", "ümläut '\"", "-dash", "x" * 200]
    items = [Item(name, {"value": number}, "d") for number, name in enumerate(names)]
    parts = run_job(replace(value_job([]), items=items), tmp_path)
    assert load_parts(tmp_path).ids == parts.ids == names
    assert [parts.path(name).read_text() for name in names] == [
        f".txt {number}" for number in range(len(names))
    ]


@pytest.mark.parametrize("config", [SERIAL, LOCAL], ids=["serial", "local"])
@pytest.mark.parametrize("fault", ["disk full", "wrapped disk full"])
def test_full_disk_stops_the_job_and_blames_no_item(tmp_path: Path, config: FanOutConfig, fault: str) -> None:
    job = faulty_job({"a": None, "b": fault}, config, log=str(tmp_path / "log"))
    with pytest.raises(DiskFullError, match=rf"{tmp_path}/out.*same command again"):
        run_job(job, tmp_path / "out")
    assert not is_complete(tmp_path / "out")
    mended = [replace(item, payload={**item.payload, "fault": None}) for item in job.items]
    parts = run_job(replace(job, items=mended), tmp_path / "out")
    assert parts.ids == ["a", "b"]


def test_full_disk_at_the_journal_or_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "append", full)
        with pytest.raises(DiskFullError):
            run_job(value_job([1, 2]), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_manifest", full)
        with pytest.raises(DiskFullError):
            run_job(value_job([1, 2]), tmp_path)
    assert run_job(value_job([1, 2]), tmp_path).ids == ["folder_1/item 1", "folder_0/item 2"]


def test_journals_survive_until_the_manifest_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = value_job(range(3), log=str(tmp_path / "log"))
    written: list[object] = []

    def crash_at_the_end(*arguments: object) -> None:
        written.append(arguments)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_manifest", crash_at_the_end)
        with pytest.raises(MemoryError):
            run_job(job, tmp_path / "out")
    assert run_job(job, tmp_path / "out").ids == [item.id for item in job.items]
    assert executions(tmp_path / "log") == [0, 1, 2]
    assert not Bookkeeping(tmp_path / "out").journals.exists()


def test_torn_journal_line_only_costs_its_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = value_job(range(3), log=str(tmp_path / "log"))
    append = JournalWriter.append

    def stop_after_two(self: JournalWriter, row: JournalRow) -> None:
        append(self, row)
        if row["id"] == job.items[1].id:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "append", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, tmp_path / "out")
    (journal,) = Bookkeeping(tmp_path / "out").journals.iterdir()
    journal.write_bytes(journal.read_bytes()[:-10])
    run_job(job, tmp_path / "out")
    assert executions(tmp_path / "log") == [0, 1, 1, 2]


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with (
        Bookkeeping(tmp_path).lock(),
        pytest.raises(FanOutError, match=rf"Another run is working.*process {os.getpid()}"),
    ):
        run_job(value_job([1]), tmp_path)
    assert len(run_job(value_job([1]), tmp_path).ids) == 1


@pytest.mark.parametrize("config", [SERIAL, LOCAL], ids=["serial", "local"])
def test_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: FanOutConfig) -> None:
    monkeypatch.chdir(tmp_path)
    parts = run_job(value_job([1], config), Path("out"))
    assert parts.path("folder_1/item 1") == Path("out/folder_1/item 1.txt")
    assert parts.path("folder_1/item 1").is_file()


def test_damaged_manifest_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    run_job(value_job([1]), tmp_path)
    part = Bookkeeping(tmp_path).manifest / "part-00000.parquet"
    part.write_bytes(b"PAR1 nothing")
    for action in (lambda: run_job(value_job([1]), tmp_path), lambda: load_parts(tmp_path)):
        with pytest.raises(FanOutError, match=r"part-00000\.parquet is damaged.*delete this file"):
            action()
    part.unlink()
    assert run_job(value_job([1]), tmp_path).ids == ["folder_1/item 1"]


def test_damaged_stamp_names_the_file(tmp_path: Path) -> None:
    run_job(value_job([1]), tmp_path)
    stamp = Bookkeeping(tmp_path).manifest / "_stamp.json"
    stamp.write_text("{")
    with pytest.raises(FanOutError, match=r"_stamp\.json is damaged.*delete this file"):
        load_parts(tmp_path)


def test_damaged_stamp_costs_a_run_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = value_job(range(3), log=str(tmp_path / "log"))
    whole = run_job(job, tmp_path / "out")
    stamp = Bookkeeping(tmp_path / "out").manifest / "_stamp.json"
    content = stamp.read_bytes()
    for damage in (
        b"{",
        b"\xff",
        b"[]",
        b'{"job": "values"}',
        content.replace(b'"items": 3', b'"items": "3"'),
    ):
        stamp.write_bytes(damage)
        assert not is_complete(tmp_path / "out")
        assert run_job(job, tmp_path / "out").ids == whole.ids
        assert stamp.read_bytes() == content
    assert executions(tmp_path / "log") == [0, 1, 2]
    assert "_stamp.json is damaged" in caplog.text


def test_a_copied_folder_of_a_shard_is_none(tmp_path: Path) -> None:
    shard = Bookkeeping(tmp_path, Shard(3, 64))
    shard.root.mkdir(parents=True)
    for name in ("shard-003-of-064 (copy)", "shard-x-of-064", "shard-3-of-64", "shard-065-of-064"):
        (shard.root.parent / name).mkdir()
    assert [books.shard for books in Bookkeeping(tmp_path).shards()] == [Shard(3, 64)]
    run_job(value_job([1]), tmp_path)


def test_facts_that_change_their_type_become_text(tmp_path: Path) -> None:
    job = Job("kinds", _fact_of_its_own_type, [Item(str(n), n, "d") for n in range(3)], (), SERIAL)
    assert run_job(job, tmp_path).table["fact"].tolist() == ["1", "text", "1.5"]


def _fact_of_its_own_type(payload: int, outputs: item_functions.Outputs) -> dict[str, int | str | float]:
    return {"fact": (1, "text", 1.5)[payload]}


def test_the_claim_of_a_run_that_was_killed_at_its_end_is_taken_back(tmp_path: Path) -> None:
    run_job(value_job([1, 2]), tmp_path)
    books = Bookkeeping(tmp_path)
    books.claim("killed")  # after its last item, before its rows were written
    books.journals.mkdir()
    assert len(run_job(value_job([1, 2]), tmp_path).ids) == 2
    assert not books.is_claimed_by("killed")
