import os
import pickle
import resource
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.fanout import item_functions
from tests.fanout.jobs import LOCAL, SERIAL, executions, faulty_job, products, value_job
from vidrep_pipelines.fanout import engine
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.engine import LocalEngine, SerialEngine, engine_for, usable_processors
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job


def test_crashes_hangs_and_exits_affect_only_their_items(tmp_path: Path) -> None:
    faults = {
        "good 1": None,
        "crash": "crash",
        "good 2": None,
        "hang": "hang",
        "exit": "exit",
        "crash once": "crash once",
        "good 3": None,
    }
    config = LOCAL.model_copy(update={"deadline_seconds": 1.5})
    more = {"log": str(tmp_path / "log"), "marker": str(tmp_path / "marker")}
    parts = run_job(faulty_job(faults, config, **more), tmp_path / "out")
    assert parts.ids == ["good 1", "good 2", "crash once", "good 3"]
    rows = parts.table.set_index("id")
    assert rows["error"].dropna().to_dict() == {
        "crash": "the worker process died 2 times on this item (crashing decoder?); quarantined",
        "hang": "stopped after 1.5 seconds (fanout.deadline_seconds); hanging decoder?",
        "exit": "SystemExit: 3",
    }
    assert rows["attempts"].to_dict() == {
        "good 1": 1, "crash": 2, "good 2": 1, "hang": 1, "exit": 1, "crash once": 2, "good 3": 1
    }  # fmt: skip
    started = executions(tmp_path / "log")
    assert started.count(1) >= 2
    assert [started.count(number) for number in (0, 2, 3, 4, 6)] == [1, 1, 1, 1, 1]
    assert set(products(tmp_path / "out")) == {f"{name}.txt" for name in parts.ids}
    assert not (tmp_path / "out" / "_parts" / "temporary").exists()


def test_single_attempt(tmp_path: Path) -> None:
    config = LOCAL.model_copy(update={"attempts": 1})
    parts = run_job(faulty_job({"crash": "crash"}, config), tmp_path)
    assert parts.failed["error"].tolist()[0].startswith("the worker process died once on this item")


def test_workers_have_one_thread_and_no_torch_and_the_parent_is_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    items = [Item(str(number), None, "d") for number in range(8)]
    table = run_job(Job("process", item_functions.report_process, items, (), LOCAL), tmp_path).table
    assert set(table["threads"]) == {"1"}
    assert not table["torch"].any()
    assert not table["numpy"].any()
    assert os.getpid() not in set(table["process"])
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_one_journal_per_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidrep_pipelines.fanout.bookkeeping.Bookkeeping.clear_journals", lambda self: None)
    run_job(value_job(range(6), LOCAL), tmp_path)
    journals = list((tmp_path / "_parts" / "journal").iterdir())
    assert 1 <= len(journals) <= 2
    assert sum(len(path.read_text().splitlines()) for path in journals) == 6


def test_items_are_taken_lazily(tmp_path: Path) -> None:
    taken: list[int] = []
    job = value_job(range(50), LOCAL)

    def items() -> object:
        for item in job.items:
            taken.append(item.payload["value"])
            yield item

    from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
    from vidrep_pipelines.fanout.worker import Recipe

    books = Bookkeeping(tmp_path)
    books.temporary.mkdir(parents=True)
    recipe = Recipe.of(job, books)
    books.claim(recipe.run)
    statuses = LocalEngine(2, LOCAL).run(recipe, items())  # type: ignore[arg-type]
    next(statuses)
    assert len(taken) <= 3
    statuses.close()


def test_function_that_cannot_be_sent_or_imported(tmp_path: Path) -> None:
    items = [Item("a", {"value": 1}, "d")]
    with pytest.raises(FanOutError, match=r"function cannot be sent.*engine=serial"):
        run_job(Job("lambda", lambda payload, outputs: {}, items, (), LOCAL), tmp_path)
    assert run_job(Job("lambda", lambda payload, outputs: {}, items, (), SERIAL), tmp_path).ids == ["a"]
    module = ModuleType("only_in_this_process")
    exec("def function(payload, outputs): return {}", module.__dict__)
    sys.modules[module.__name__] = module
    try:
        assert pickle.dumps(module.function)
        with pytest.raises(FanOutError, match="cannot import the job's function"):
            run_job(Job("module", module.function, items, (), LOCAL), tmp_path / "other")
    finally:
        del sys.modules[module.__name__]


def test_payload_that_cannot_be_sent_names_the_item(tmp_path: Path) -> None:
    job = Job("payload", item_functions.report_process, [Item("clip 1", lambda: 0, "d")], (), LOCAL)
    with pytest.raises(FanOutError, match="payload of 'clip 1'"):
        run_job(job, tmp_path)


def test_choice_of_engine() -> None:
    assert isinstance(engine_for(SERIAL, 5), SerialEngine)
    assert isinstance(engine_for(FanOutConfig(), 5), LocalEngine)
    assert usable_processors() >= 1


def test_workers_that_cannot_start_end_the_job_and_blame_no_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = value_job(range(10), LOCAL)
    with monkeypatch.context() as patch:
        patch.setattr("vidrep_pipelines.fanout.slot.prepare_process", item_functions.die_at_start)
        with pytest.raises(FanOutError, match="die as soon as they start"):
            run_job(job, tmp_path)
    assert len(run_job(job, tmp_path).ids) == 10


def test_no_more_workers_than_the_system_allows_pipes_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started: list[int] = []
    monkeypatch.setattr(engine, "LocalEngine", lambda workers, _: started.append(workers))
    for limit in (256, 65536):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        engine_for(LOCAL.model_copy(update={"workers": 64}), 1000)
    assert started == [24, 64]
    assert "enough for 24 of 64 workers. Remedy: ulimit -n 1024" in caplog.text
