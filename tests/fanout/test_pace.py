"""Batches are as long as their items are quick."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fanout.jobs import LOCAL, executions, faulty_job, value_job
from vidrep_pipelines.fanout.local_engine import Slot
from vidrep_pipelines.fanout.pace import Pace
from vidrep_pipelines.fanout.runner import run_job


def test_the_first_batch_holds_one_item_and_later_ones_fill_their_time() -> None:
    pace = Pace(0.05, 256)
    assert pace.length() == 1
    for _ in range(200):
        pace.note(0.001)
    assert pace.length() == pytest.approx(50, abs=1)
    pace.note(5.0)
    assert pace.length() == 1


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(1, 256)), max_size=50))
def test_a_batch_is_never_empty_nor_longer_than_allowed(taken: list[tuple[float, int]]) -> None:
    pace = Pace(0.05, 256)
    for seconds, items in taken:
        pace.note(seconds, items)
        assert 1 <= pace.length() <= 256


@given(st.floats(0.0001, 10), st.integers(1, 100))
def test_a_batch_teaches_as_much_as_its_items_one_by_one(seconds: float, items: int) -> None:
    together, one_by_one = Pace(0.05, 256), Pace(0.05, 256)
    together.note(seconds * items, items)
    for _ in range(items):
        one_by_one.note(seconds)
    assert abs(together.length() - one_by_one.length()) <= 1


@pytest.fixture
def eights(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batches of eight; returns how many items each had."""
    lengths: list[int] = []
    start = Slot.start

    def counted(slot: Slot, packed: list[bytes]) -> None:
        lengths.append(len(packed))
        start(slot, packed)

    monkeypatch.setattr(Pace, "length", lambda pace: 8)
    monkeypatch.setattr(Slot, "start", counted)
    return lengths


def test_of_items_that_travel_together_only_the_one_that_crashes_is_given_up(
    tmp_path_factory: pytest.TempPathFactory, eights: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("crash")
    faults = {f"{number:02}": "crash" if number == 11 else None for number in range(24)}
    parts = run_job(faulty_job(faults, LOCAL, log=str(folder / "log")), folder / "out")
    assert parts.failed["id"].tolist() == ["11"]
    assert parts.failed["error"].item().startswith("the worker process died 2 times on this item")
    assert set(parts.table.loc[parts.table["status"] == "ok", "attempts"]) == {1}
    assert parts.failed["attempts"].item() == 2
    assert eights.count(8) == 3 and eights.count(1) == 8 + 1  # each of its batch alone, itself once more
    assert executions(folder / "log").count(11) == 3


def test_an_exit_is_told_of_its_item_alone(
    tmp_path_factory: pytest.TempPathFactory, eights: list[int]
) -> None:
    faults = {f"{number}": "exit" if number == 3 else None for number in range(8)}
    parts = run_job(faulty_job(faults, LOCAL), tmp_path_factory.mktemp("exit"))
    assert parts.failed[["id", "error"]].to_numpy().tolist() == [["3", "SystemExit: 3"]]


def test_what_a_slow_batch_does_not_begin_goes_to_the_next(
    tmp_path_factory: pytest.TempPathFactory, eights: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("slow")
    parts = run_job(value_job(range(8), LOCAL, seconds=0.06, log=str(folder / "log")), folder / "out")
    assert len(parts.ids) == 8
    assert sorted(executions(folder / "log")) == list(range(8))
    assert len(eights) > 2
