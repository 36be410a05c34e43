"""Functions for jobs in tests: importable by worker processes. Payloads are plain dictionaries."""

import ctypes
import errno
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.fanout.job import Scalar

Outputs = Mapping[str, Path]

LEAKED: list[bytearray] = []


def note(payload: Mapping[str, Any]) -> None:
    """Leaves a line in the side file, so that tests can count executions and find worker processes."""
    if "log" in payload:
        with Path(payload["log"]).open("a") as file:
            file.write(f"{payload['value']} {os.getpid()}\n")


def write_value(payload: Mapping[str, Any], outputs: Outputs) -> dict[str, Scalar]:
    """Writes the value into every product, after ``seconds`` or as soon as the file ``until`` is there."""
    note(payload)
    deadline = time.monotonic() + payload.get("seconds", 0)
    while time.monotonic() < deadline and not ("until" in payload and Path(payload["until"]).exists()):
        time.sleep(min(0.01, max(0, deadline - time.monotonic())))
    for suffix, path in outputs.items():
        path.write_text(f"{suffix} {payload['value']}")
    return {"value": payload["value"], "half": payload["value"] / 2, "even": payload["value"] % 2 == 0}


def misbehave(payload: Mapping[str, Any], outputs: Outputs) -> dict[str, Scalar]:
    """Does what the payload's ``fault`` says."""
    note(payload)
    match payload.get("fault"):
        case "raise":
            raise ValueError(f"cannot read '{payload['value']}'")
        case "bad input":
            raise InputError(f"{payload['value']} is no video")
        case "disk full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case "wrapped disk full":
            try:
                raise OSError(errno.EDQUOT, "quota")
            except OSError as error:
                raise RuntimeError("encoder failed") from error
        case "no product":
            return {}
        case "bad fact":
            return {"frames": [1, 2]}  # type: ignore[dict-item]
        case "hang" | "hang in C" | "crash" | "exit" | "hog" | "leak":
            _harm_process(payload["fault"])
        case "crash once":
            marker = Path(payload["marker"])
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return write_value({"value": payload["value"]}, outputs)


def _harm_process(fault: str) -> None:
    match fault:
        case "hang":
            time.sleep(120)
        case "hang in C":
            ctypes.PyDLL(None).sleep(1000)  # keeps the interpreter to itself, unlike CDLL
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            sys.exit(3)
        case "hog":
            hoard = [bytearray(10_000_000) for _ in range(1000)]
            time.sleep(len(hoard))
        case "leak":
            LEAKED.append(bytearray(150_000_000))


def report_process(payload: object, outputs: Outputs) -> dict[str, Scalar]:
    """Facts about the worker process itself."""
    return {
        "threads": os.environ["OMP_NUM_THREADS"],
        "torch": "torch" in sys.modules,
        "numpy": "numpy" in sys.modules,
        "process": os.getpid(),
    }


def die_at_start(announce: object) -> None:
    """Stands in for what prepares a worker process."""
    os._exit(1)
