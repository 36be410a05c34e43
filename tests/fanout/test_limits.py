"""Items that hang or hoard slot, on every engine that can stop them."""

import os
from pathlib import Path

import pytest

from tests.fanout.jobs import DASK, LOCAL, executions, faulty_job, processes
from tests.fanout.processes import is_alive, wait_for
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.fanout import slot
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.runner import run_job

ENGINES = pytest.mark.parametrize("config", [LOCAL, DASK], ids=["local", "dask"])


@ENGINES
def test_stuck_and_greedy_items_are_killed_and_listed(tmp_path: Path, config: FanOutConfig) -> None:
    limits = config.model_copy(update={"deadline_seconds": 4.0, "memory_limit": "400MB"})
    faults = {"good": None, "stuck": "hang in C", "greedy": "hog", "crash": "crash", "fine": None}
    log = tmp_path / "log"
    parts = run_job(faulty_job(faults, limits, log=str(log)), tmp_path / "out")
    assert parts.ids == ["good", "fine"]
    assert dict(zip(parts.failed["id"], parts.failed["error"], strict=True)) == {
        "stuck": "stopped after 4 seconds (fanout.deadline_seconds); hanging decoder?",
        "greedy": "stopped because it needs more memory than 400MB (fanout.memory_limit)",
        "crash": "the worker process died 2 times on this item (crashing decoder?); quarantined",
    }
    wait_for(lambda: not any(map(is_alive, processes(log))), "a worker outlived the run")


def test_an_item_does_not_pay_for_what_earlier_ones_left_behind(tmp_path: Path) -> None:
    config = LOCAL.model_copy(update={"workers": 1, "memory_limit": "400MB"})
    parts = run_job(
        faulty_job({str(number): "leak" for number in range(5)}, config, log=str(tmp_path / "log")),
        tmp_path / "out",
    )
    assert len(parts.ids) == 5
    assert set(parts.table["attempts"]) == {1}
    assert len(executions(tmp_path / "log")) >= 5


def test_memory_of_processes() -> None:
    assert slot.resident_bytes(os.getpid()) > 10_000_000
    assert slot.resident_bytes(2**22 + 1) == 0


def test_systems_that_do_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "resident_bytes", lambda process: 0)
    config = LOCAL.model_copy(update={"memory_limit": "1GB"})
    with pytest.raises(ConfigurationError, match=r"fanout\.memory_limit needs the /proc"):
        run_job(faulty_job({"a": None}, config), tmp_path)
