"""Data folders of two runs of the same pipeline, compared by what is in them.

What may differ between two runs that did the same: how long things took, when files were written, how often
an item was tried, and what follows from the time of a file (packet indices and digests of source files hold
it). Everything else has to be equal: every product, table, weight, optimizer state and picture.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

_VARYING = frozenset(
    {"seconds", "attempts", "mtime_ns", "checksums", "time", "digest", "content_digest", "data"}
)
"""Columns and keys that may differ."""

_VARYING_PARTS = ("_seconds", "per_second", "memory", "speed/", "_digest", "resumed")
_IGNORED_NAMES = frozenset(
    {
        "log.txt",
        "lock",
        "_stamp.json",
        "run.json",
        "exported.json",  # digests only
        "loss_curves.png",  # the speed
        "report.html",  # the speed
        "kedro_pipeline_events.json",  # when each node ran, and for how long
    }
)

_IGNORED_SUFFIXES = frozenset({".packets", ".lock", ".db"})


def differences(one: Path, other: Path) -> list[str]:
    """A line for each file that one folder lacks or that differs in more than it may."""
    names = [_names(folder) for folder in (one, other)]
    found = [
        f"only in {folder}: {name}"
        for folder, own in zip((one, other), names, strict=True)
        for name in sorted(own - (names[0] & names[1]))
    ]
    for name in sorted(names[0] & names[1]):
        read = _READERS.get(Path(name).suffix, lambda path, root: path.read_bytes())
        if read(one / name, one) != read(other / name, other):
            found.append(f"differs: {name}")
    return found


def _names(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in files if not _ignored(path)}


def _ignored(path: Path) -> bool:
    store = path.parent.name == "packet_store"  # holds times, like the indices that it is made of
    return (
        path.name in _IGNORED_NAMES
        or path.suffix in _IGNORED_SUFFIXES
        or path.name.endswith((".lock", ".provenance.json"))
        or store
    )


def _table(path: Path, root: Path) -> list[dict[str, Any]]:
    return [_plain(row, root) for row in json.loads(pd.read_parquet(path).to_json(orient="records"))]


def _json(path: Path, root: Path) -> Any:
    content = _plain(json.loads(path.read_text()), root)
    if path.name in ("train_metrics.json", "result.json"):  # trained, or resumed from some update
        return {key: value for key, value in content.items() if key not in ("status", "resumed_from")}
    return content


def _lines(path: Path, root: Path) -> list[Any]:
    return [_plain(json.loads(line), root) for line in path.read_text().splitlines()]


def _text(path: Path, root: Path) -> str:
    return path.read_text().replace(str(root), "")


def _card(path: Path, root: Path) -> list[str]:
    """A model card without the digest of its run, which follows from the times of the source files."""
    return [line for line in _text(path, root).splitlines() if not line.startswith("| run |")]


def _plain(value: Any, root: Path) -> Any:
    """Without times, and without the folder's own path."""
    if isinstance(value, dict):
        return {key: _plain(item, root) for key, item in value.items() if not _varies(key)}
    if isinstance(value, list):
        return [_plain(item, root) for item in value]
    return value.replace(str(root), "") if isinstance(value, str) else value


def _varies(name: str) -> bool:
    kept = name in ("frames_per_second", "source_seconds", "duration_seconds")
    return name in _VARYING or (not kept and any(part in name for part in _VARYING_PARTS))


_READERS: dict[str, Callable[[Path, Path], Any]] = {
    ".parquet": _table,
    ".json": _json,
    ".jsonl": _lines,
    ".csv": _text,
    ".md": _card,
}
