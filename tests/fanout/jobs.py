"""Builds jobs for tests."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.fanout import item_functions
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job

SERIAL = FanOutConfig(engine="serial")
LOCAL = FanOutConfig(engine="local", workers=2, deadline_seconds=60)
DASK = FanOutConfig(engine="dask", workers=2, deadline_seconds=60)


def value_job(values: Iterable[int], config: FanOutConfig = SERIAL, **more: Any) -> Job:
    """A job of well-behaved items named ``folder_<v % 2>/item <v>``; ``more`` goes into the payloads."""
    items = [Item(f"folder_{v % 2}/item {v}", {"value": v, **more}, f"digest {v}") for v in values]
    return Job("values", item_functions.write_value, items, (".txt", ".more.txt"), config)


def faulty_job(faults: Mapping[str, str | None], config: FanOutConfig, **more: Any) -> Job:
    """A job whose items misbehave: id -> fault."""
    items = [
        Item(name, {"value": number, "fault": fault, **more}, "digest")
        for number, (name, fault) in enumerate(faults.items())
    ]
    return Job("faults", item_functions.misbehave, items, (".txt",), config)


def executions(log: Path) -> list[int]:
    """The values in the order in which they were started."""
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []


def processes(log: Path) -> set[int]:
    """The worker processes that started an item."""
    return {int(line.split()[1]) for line in log.read_text().splitlines()} if log.exists() else set()


def products(folder: Path) -> dict[str, bytes]:
    """All files below the folder except the bookkeeping."""
    files = (path for path in folder.rglob("*") if path.is_file())
    relative = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in relative.items() if not name.startswith("_parts/")}
