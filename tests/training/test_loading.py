import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.errors import LoaderWorkerLostError
from vidrep_pipelines.training.loading import _Workers, loaded_batches

PATIENCE_SECONDS = 60

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


class Items(Dataset[dict[str, Any]]):
    """Item ``number`` is itself, unless ``act`` does something else to the process that asks for it."""

    def __init__(self, act: Callable[[int], None] = lambda number: None, megabytes: int = 0) -> None:
        self._act, self._megabytes = act, megabytes

    def __len__(self) -> int:
        return 40

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        self._act(key[1])
        return {"index": key[1], "frames": np.zeros(self._megabytes << 20, np.uint8)}


def batches_of(dataset: Dataset[Any], workers: int) -> Any:
    launch = LaunchConfig(device="cpu", loader_workers=workers)
    sampler: Any = [[(0, 2 * number), (0, 2 * number + 1)] for number in range(20)]
    return loaded_batches(dataset, sampler, launch, seed=1, pin=False)


def read(dataset: Dataset[Any], workers: int) -> list[int]:
    with batches_of(dataset, workers) as batches:
        return [index for batch in batches for index in batch["index"].tolist()]


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    left = multiprocessing.active_children()
    for child in left:
        child.kill()
    assert not left


def refuse(number: int) -> None:
    if number == 9:
        raise InputError("clip_009.mp4 is damaged. Remove it.")


def crash(number: int) -> None:
    if number == 9:
        os.kill(os.getpid(), signal.SIGKILL)


def refuse_or_hang(number: int) -> None:
    if number == 3:
        raise InputError("clip_003.mp4 is damaged. Remove it.")
    if number > 3:
        time.sleep(1000)


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_batches_come_in_order(workers: int) -> None:
    assert read(Items(), workers) == list(range(40))


@pytest.mark.parametrize("workers", [0, 2, 4, 8])
def test_an_error_comes_as_it_was_and_leaves_no_worker(workers: int) -> None:
    with pytest.raises(InputError, match=r"^clip_009\.mp4 is damaged\. Remove it\.$"):
        read(Items(refuse), workers)
    assert not multiprocessing.active_children()


def test_without_workers_an_error_shows_where_it_happened() -> None:
    with pytest.raises(InputError) as caught:
        read(Items(refuse), workers=0)
    assert "refuse" in [entry.name for entry in caught.traceback]


def test_a_worker_that_hangs_is_not_waited_for() -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match="clip_003"):
        read(Items(refuse_or_hang), 2)
    assert time.monotonic() - started < 20
    assert not multiprocessing.active_children()


def test_a_death_is_told_with_its_remedy() -> None:
    with pytest.raises(LoaderWorkerLostError, match=r"that reads data died.*launch\.loader_workers=0"):
        read(Items(crash), 2)
    assert not multiprocessing.active_children()
    assert signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL  # torch's stays installed


def test_a_worker_may_take_its_time_to_be_gone() -> None:
    """What it had open closes before it has an exit code, on a busy machine long before."""

    def broken() -> Iterator[Any]:
        raise ConnectionResetError(104, "Connection reset by peer")
        yield

    workers = _Workers()
    workers._processes.append(multiprocessing.get_context("fork").Process(target=_die_after, args=(1.5,)))
    workers._processes[0].start()
    with pytest.raises(LoaderWorkerLostError, match="ConnectionResetError"):
        next(workers._read(broken()))
    workers._processes[0].join()


def _die_after(seconds: float) -> None:
    os.closerange(3, 4096)
    time.sleep(seconds)
    os._exit(1)


def test_a_second_death_while_the_workers_are_ended_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's signal handler raises wherever this process is, also on its way to end the workers."""
    start, noticed = threading.Timer.start, list[Any]()

    def interrupted(self: threading.Timer) -> None:
        if not noticed:
            noticed.append(self)
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
        start(self)

    monkeypatch.setattr(threading.Timer, "start", interrupted)
    with pytest.raises(InputError, match="clip_009"):
        read(Items(refuse), 2)
    assert noticed and not multiprocessing.active_children()


def test_errors_of_the_consumer_leave_no_worker() -> None:
    with pytest.raises(KeyboardInterrupt), batches_of(Items(), 2) as batches:
        next(batches)
        raise KeyboardInterrupt
    assert not multiprocessing.active_children()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of torch's half iterator
def test_workers_of_which_only_some_could_be_started_end(monkeypatch: pytest.MonkeyPatch) -> None:
    process = multiprocessing.get_context("fork").Process
    start, started = process.start, list[Any]()

    def start_two(self: Any) -> None:
        if len(started) == 2:
            raise BlockingIOError("Resource temporarily unavailable")
        started.append(self)
        start(self)

    monkeypatch.setattr(process, "start", start_two)
    with pytest.raises(BlockingIOError, match="temporarily"):
        read(Items(), 4)
    assert len(started) == 2
    assert not multiprocessing.active_children()


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(RuntimeError, match=r"^of the consumer$"), batches_of(Items(), 0):
        raise RuntimeError("of the consumer")


_SMALL_SHARED_MEMORY = """
from tests.training.test_loading import Items, read
read(Items(megabytes=1), 2)
"""


def _python(*command: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_too_little_shared_memory_ends_with_the_remedy() -> None:
    mount = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=3m none /dev/shm && exec "$@"', "-"]
    if sys.platform != "linux" or subprocess.run([*mount, "true"], check=False).returncode:
        pytest.skip("needs the right to mount a small /dev/shm")
    process = _python(*mount, sys.executable, "-c", _SMALL_SHARED_MEMORY)
    try:
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "ConfigurationError: Shared memory is too small" in errors
    assert "launch.loader_workers=0" in errors


@pytest.mark.parametrize(
    "text",
    [
        "unable to write to file </torch_12_345_0>: No space left on device (28)",
        "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on device (28)",
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers "
        "are out of shared memory. Please try to raise your shared memory limit.",
    ],
)
def test_complaints_about_shared_memory_are_understood(text: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"launch\.loader_workers=0.*/dev/shm"),
        batches_of(Items(), 0),
    ):
        raise RuntimeError(text)


_KILLED_PARENT = """
import multiprocessing, sys
from tests.training.test_loading import Items, batches_of, refuse_or_hang
with batches_of(Items(lambda number: refuse_or_hang(max(number, 4) if number > 1 else 0)), 2) as batches:
    next(batches)
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    next(batches)
"""


def test_workers_end_with_the_process_that_they_read_for() -> None:
    process = _python(sys.executable, "-c", _KILLED_PARENT)
    assert process.stdout is not None
    workers = [int(word) for word in process.stdout.readline().split()]
    assert len(workers) == 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + PATIENCE_SECONDS / 2
    while any(_runs(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived its training process"
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_workers_do_not_touch_the_random_state() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    read(Items(), 2)
    assert torch.equal(torch.rand(1), expected)
