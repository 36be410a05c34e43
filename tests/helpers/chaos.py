"""Runs of a pipeline whose processes are killed, stopped and crashed at random until it ends all the same.

By hand, for as long as one likes (``--help`` lists the options)::

    python -m tests.helpers.chaos --pipeline eval_davis_systems --seconds 600 --seed 1 --folder FOLDER

A quiet run comes first. Then the same pipeline runs in another data folder while a random process of it (the
driver, a worker of a per-item stage, a training rank, a Dask worker) gets SIGKILL, SIGTERM, SIGSEGV or
SIGSTOP (later followed by SIGCONT or SIGKILL) every few seconds. When the driver is dead, the same command is
given again. Whenever a run ends well, its folder is compared with that of the quiet run, see
:mod:`tests.helpers.trees`, and while there is time left, the next one starts from nothing.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fanout.processes import is_alive, running_with
from tests.helpers.carl import TINY_CARL
from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import ROOT, merged
from tests.helpers.trees import differences
from tests.helpers.vqvae import TINY_VQVAE

_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSEGV)
_DRIVER_SHARE = 0.15
_LONGEST_STOP = 3.0
_LONGEST_PAUSE_SHARE = 0.08
"""Of the time that the quiet run takes."""

_RUN_SECONDS = 900
_PROGRAM = (
    "import json, sys; from pathlib import Path; from tests.helpers.project import run_pipeline; "
    "run_pipeline(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))"
)


def chaos_parameters(engine: str = "local", processes: int = 1) -> dict[str, Any]:
    """Tiny models and data of all systems. No item is given up, however often its process is killed."""
    everything = merged(merged(TINY_VQVAE, TINY_CARL), TINY_EVALUATION)
    own = {
        "encoders": {"use": None},
        "tracking": {"enabled": False},
        "fanout": {"engine": engine, "workers": 2, "attempts": 1_000_000},
        "launch": {"loader_workers": 0, "device": "cpu", "processes": processes, "retries": 1000},
    }
    return merged(everything, own)


@dataclass
class Chaos:
    """One pipeline under random signals.

    Attributes:
        pipeline: Its name.
        parameters: Of both the quiet run and the disturbed ones.
        folder: Where both data folders are made; what is there of the quiet run is used again.
        seed: Of the signals. The processes' own timing is not repeatable.
        events: What was done, a line each.
    """

    pipeline: str
    parameters: Mapping[str, Any]
    folder: Path
    seed: int = 0
    events: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._started = time.monotonic()
        self._longest_pause = 0.0

    def run(self, seconds: float) -> list[str]:
        """Disturbs runs for so long, then lets the last one end; returns what differs from the quiet run."""
        quiet, disturbed = self.folder / "quiet", self.folder / "disturbed"
        quiet.mkdir(parents=True, exist_ok=True)
        self._finish(quiet)
        self._note("the quiet run is done")
        # On a slow or busy machine everything takes longer; a driver has to get somewhere between two deaths.
        self._longest_pause = _LONGEST_PAUSE_SHARE * (time.monotonic() - self._started)
        deadline, found = time.monotonic() + seconds, list[str]()
        while time.monotonic() < deadline and not found:
            shutil.rmtree(disturbed, ignore_errors=True)
            disturbed.mkdir()
            self._disturb(disturbed, deadline)
            self._finish(disturbed)
            found = differences(quiet, disturbed)
            self._note(f"a disturbed run is done, {len(found)} differences")
        return found

    def _disturb(self, data: Path, deadline: float) -> None:
        """Gives signals until the run ended well or time is up, and leaves nothing alive or stopped."""
        process = self._start(data)
        try:
            while time.monotonic() < deadline:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(self._rng.uniform(0, self._longest_pause))
                    if code == 0:
                        return
                    self._note(f"the driver ended with {code}")
                    process = self._start(data)
                    continue
                self._strike(data, process.pid)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self._reap(data)

    def _strike(self, data: Path, driver: int) -> None:
        """One signal to one process; none when another one than the driver was meant and there is none."""
        others = sorted(set(running_with(_mark(data))) - {driver})
        at_driver, number = self._rng.random() < _DRIVER_SHARE, self._rng.choice(_SIGNALS)
        if not at_driver and not others:
            return
        victim = driver if at_driver else self._rng.choice(others)
        self._note(f"{number.name} to {'the driver' if victim == driver else 'another process'}")
        _send(victim, number)
        if number is signal.SIGSTOP:
            time.sleep(self._rng.uniform(0, _LONGEST_STOP))
            _send(victim, self._rng.choice((signal.SIGCONT, signal.SIGKILL)))

    def _finish(self, data: Path) -> None:
        """Runs to the end without signals.

        Raises:
            AssertionError: The run fails, or leaves processes behind.
        """
        code = self._start(data).wait(_RUN_SECONDS)
        log = (data / "log.txt").read_text(errors="replace")
        assert code == 0, f"{data}: the run without signals ended with {code}\n{log[-5000:]}"

    def _start(self, data: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", _PROGRAM, self.pipeline, str(data), json.dumps(self.parameters)]
        environment = {**os.environ, "VIDREP_DATA": str(data), "PYTHONPATH": os.pathsep.join(sys.path)}
        with (data / "log.txt").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def _reap(self, data: Path) -> None:
        """Processes end by themselves when their driver is dead; stopped ones need to be woken for that."""
        deadline = time.monotonic() + 60
        while left := [process for process in running_with(_mark(data)) if is_alive(process)]:
            assert time.monotonic() < deadline, f"processes outlive their driver: {left}"
            for process in left:
                _send(process, signal.SIGCONT)
            time.sleep(0.2)

    def _note(self, text: str) -> None:
        self.events.append(f"{time.monotonic() - self._started:7.1f} s  {text}")
        sys.stdout.write(f"{self.events[-1]}\n")
        sys.stdout.flush()


def _mark(data: Path) -> str:
    """How processes of a run are told from all others: children inherit it."""
    return f"VIDREP_DATA={data}\0"


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def main() -> int:
    """The command; exit code 1 when something differs."""
    parser = argparse.ArgumentParser(description="Runs a pipeline under random signals.")
    parser.add_argument("--pipeline", default="eval_davis_systems")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long signals are given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="local", choices=("local", "dask"))
    parser.add_argument("--processes", type=int, default=1, help="training processes")
    parser.add_argument("--folder", type=Path, required=True, help="where data folders are made")
    options = parser.parse_args()
    parameters = chaos_parameters(options.engine, options.processes)
    chaos = Chaos(options.pipeline, parameters, options.folder.absolute(), options.seed)
    found = chaos.run(options.seconds)
    sys.stdout.write("\n".join([*found, "" if found else "every run ended like the quiet one\n"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
