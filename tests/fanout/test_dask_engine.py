"""The Dask engine: local clusters, clusters started elsewhere, workers that are killed."""

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.fanout.jobs import DASK, SERIAL, executions, faulty_job, processes, products, value_job
from tests.fanout.processes import PATIENCE_SECONDS, is_alive, wait_for
from vidrep_pipelines.common.errors import MissingExtraError
from vidrep_pipelines.fanout import engine
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import DiskFullError, FanOutError
from vidrep_pipelines.fanout.item_table import ItemTable
from vidrep_pipelines.fanout.runner import run_job


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Iterator[FanOutConfig]:
    """A scheduler and a worker with two threads, started by hand as on a cluster."""
    file = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    with (
        _dask("scheduler", *common, "--port", "0", root=project_root),
        _dask("worker", *common, "--nthreads", "2", "--local-directory", str(file.parent), root=project_root),
    ):
        wait_for(file.is_file, "no scheduler")
        yield DASK.model_copy(update={"scheduler": str(file), "workers": None})


class _dask:  # noqa: N801
    def __init__(self, *arguments: str, root: Path) -> None:
        self._command, self._root = [sys.executable, "-m", "dask", *arguments], root

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=self._root, stderr=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)


def test_one_worker_killed_in_the_middle(tmp_path: Path) -> None:
    """Items are slow until the killed worker is replaced: else the other one might do all that is left."""
    log, replaced = tmp_path / "log", tmp_path / "replaced"
    job = value_job(range(60), DASK, log=str(log), seconds=1, until=str(replaced))
    killed: list[int] = []

    def kill_a_dask_worker() -> None:
        wait_for(lambda: len(executions(log)) >= 3, "no progress")
        slot = sorted(processes(log))[0]
        killed.append(int(Path(f"/proc/{slot}/stat").read_text().rpartition(")")[2].split()[1]))
        os.kill(killed[0], signal.SIGKILL)
        wait_for(lambda: len(processes(log)) >= 3, "the killed worker was not replaced")
        replaced.touch()

    killer = threading.Thread(target=kill_a_dask_worker)
    killer.start()
    parts = run_job(job, tmp_path / "dask")
    killer.join()
    assert killed[0] != os.getpid()
    assert len(processes(log)) >= 3  # the killed worker's slot, the other one's, the replacement's
    undisturbed = run_job(value_job(range(60)), tmp_path / "serial")
    pd.testing.assert_frame_equal(
        parts.table.drop(columns=["seconds", "attempts"]),
        undisturbed.table.drop(columns=["seconds", "attempts"]),
    )
    assert products(tmp_path / "dask") == products(tmp_path / "serial")
    assert parts.content_digest == undisturbed.content_digest
    assert sorted(path.name for path in (tmp_path / "dask" / "_parts").iterdir()) == ["lock", "manifest"]
    wait_for(lambda: not any(map(is_alive, processes(log))), "a worker outlived the run")


def test_cluster_started_elsewhere(cluster: FanOutConfig, tmp_path: Path) -> None:
    """Two jobs and a second run on the same workers, whose nanny lets them have no children."""
    log = tmp_path / "log"
    parts = run_job(value_job(range(30), cluster, log=str(log)), tmp_path / "out")
    assert len(parts.ids) == 30
    run_job(value_job(range(32), cluster, log=str(log)), tmp_path / "out")
    assert sorted(executions(log)) == list(range(32))
    wait_for(lambda: not any(map(is_alive, processes(log))), "workers of a finished job live on")


def test_failures_and_full_disks(cluster: FanOutConfig, tmp_path: Path) -> None:
    faults = {"a": None, "b": "raise", "c": "crash", "d": "exit", "e": "bad input"}
    parts = run_job(faulty_job(faults, cluster), tmp_path / "out")
    assert parts.ids == ["a"]
    assert parts.table["attempts"].tolist() == [1, 1, 2, 1, 1]
    with pytest.raises(DiskFullError):
        run_job(faulty_job({"a": None, "b": "disk full"}, cluster), tmp_path / "full")


def test_few_items_are_with_the_scheduler(cluster: FanOutConfig, tmp_path: Path) -> None:
    log = tmp_path / "log"
    taken: list[int] = []
    most_ahead = 0

    def payload(position: int) -> dict[str, object]:
        nonlocal most_ahead
        taken.append(position)
        most_ahead = max(most_ahead, len(taken) - len(executions(log)))
        return {"value": position, "log": str(log), "seconds": 0.3}

    names = [f"item {number}" for number in range(20)]
    items = ItemTable.of(names, names, payload)
    job = value_job([], cluster)
    job = type(job)(job.name, job.function, items, (), cluster)
    assert len(run_job(job, tmp_path / "out").ids) == 20
    assert len(taken) == 20
    assert most_ahead <= 12  # four batches of at most three


def test_waiting_is_announced_and_addresses_are_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = DASK.model_copy(update={"scheduler": str(tmp_path / "none.json")})
    with pytest.raises(FanOutError, match=r"no Dask scheduler file.*none\.json"):
        run_job(value_job([1], missing), tmp_path / "out")
    with caplog.at_level(logging.CRITICAL), pytest.raises(FanOutError, match="does not answer"):
        import dask

        with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
            run_job(
                value_job([1], missing.model_copy(update={"scheduler": "tcp://127.0.0.1:9"})),
                tmp_path / "out",
            )


def test_a_scheduler_with_tls_takes_the_certificates_of_dasks_settings(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="certificates are made with it")
    import dask
    from distributed import LocalCluster, Security

    security = Security.temporary()
    certificates = {
        "distributed.comm.tls.ca-file": security.tls_ca_file,
        "distributed.comm.tls.client.cert": security.tls_client_cert,
        "distributed.comm.tls.client.key": security.tls_client_key,
    }
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            protocol="tls://",
            security=security,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as tls,
    ):
        config = DASK.model_copy(update={"scheduler": tls.scheduler_address, "workers": None})
        assert tls.scheduler_address.startswith("tls://127.0.0.1")
        with pytest.raises(FanOutError, match=r"wants TLS.*DASK_DISTRIBUTED__COMM__TLS"):
            run_job(value_job([1], config), tmp_path / "refused")
        gc.collect()  # else the refused client closes itself in the next one's thread, and blocks it
        with dask.config.set(certificates):
            assert len(run_job(value_job(range(3), config), tmp_path / "out").ids) == 3


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*'\.\[cluster\]'"):
        engine.engine_for(DASK, 1)
    assert run_job(value_job([1], SERIAL), tmp_path).ids == ["folder_1/item 1"]
