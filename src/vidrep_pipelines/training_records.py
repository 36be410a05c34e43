"""What a training left behind, as the report shows it: curves, time, memory, digests."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidrep_pipelines.reporting.report.page import duration, number
from vidrep_pipelines.reporting.report.records import ReportedCurve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOSSES, _PROBES = ("loss", "kl"), ("probe/", "validation/")
_MOST_LOSSES, _MOST_PROBES, _MOST_POINTS = 4, 4, 240
_MOST_BYTES = 2**25
_STEP, _TIME = "step", "time"
_MEMORY, _SPEED = "system/peak_memory_gibibytes", "speed/items_per_second"
_PAUSE = 20
"""A gap of so many usual ones is a pause: the training was interrupted and went on later."""

Numbers = tuple[tuple[str, str], ...]
"""Names and texts."""


def training_curves(log: Path | None) -> tuple[tuple[ReportedCurve, ...], Numbers]:
    """Curves of a training's log, and what it says of time and memory.

    Args:
        log: A table, or the file with a JSON object per line that a training writes while it goes on. None:
            there is none.
    """
    if log is None:
        return (), ()
    columns = _table(log) if log.suffix == ".parquet" else _lines(log)
    steps = columns.get(_STEP)
    if steps is None or not len(steps):
        return (), ()
    curves = [curve for name in shown_columns(columns) if (curve := _curve(name, steps, columns[name])).steps]
    return tuple(curves), _costs(columns)


def shown_columns(names: Iterable[str]) -> list[str]:
    """The columns of a log that are drawn: the loss, its parts, what was measured while training."""
    every = list(names)
    known = [name for name in every if not _is_end_of_interval(name, every)]
    losses = [name for name in known if name.rsplit("/", 1)[-1].startswith(_LOSSES)]
    losses.sort(key=lambda name: name != "train/loss")
    measured = [name for name in known if name.startswith(_PROBES) and name not in losses]
    return losses[:_MOST_LOSSES] + measured[:_MOST_PROBES]


def _is_end_of_interval(name: str, names: list[str]) -> bool:
    """Whether it is ``x_low`` or ``x_high`` beside ``x``."""
    return any(name == f"{other}_{end}" for other in names for end in ("low", "high"))


def training_numbers(metrics: Mapping[str, Any], checkpoint: Path | None) -> Numbers:
    """Updates, passes, precision, size and digests of a trained model.

    Args:
        metrics: Its ``train_metrics``; empty while it is not finished.
        checkpoint: The published folder, if the catalog has one.
    """
    found = []
    if isinstance(metrics.get(_STEP), int):
        found.append(("Updates", f"{metrics[_STEP]:,}"))
    if metrics.get("precision"):
        found.append(("Precision", str(metrics["precision"])))
    meta = None if checkpoint is None else _json_object(checkpoint / "meta.json")
    if meta and checkpoint is not None:
        if isinstance(passes := meta.get("passes"), int | float):
            found.append(("Passes over the data", number(passes)))
        if size := parameter_count(checkpoint / "model.safetensors"):
            found.append(("Parameters", f"{size:,}"))
        digests = {"Digest of the run": "digest", "Digest of the weights": "weights_digest"}
        found += [(name, str(meta[key])) for name, key in digests.items() if meta.get(key)]
    return tuple(found)


def parameter_count(weights: Path) -> int:
    """How many numbers a safetensors file holds, by its header; 0 if there is none that can be read."""
    try:
        with weights.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), _MOST_BYTES)))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0


def _json_object(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _table(log: Path) -> dict[str, "NDArray[np.float64]"]:
    import numpy as np  # noqa: PLC0415 - listing the pipelines comes by here
    import pyarrow.parquet as pq  # noqa: PLC0415

    file = pq.ParquetFile(log)
    names = file.schema_arrow.names
    wanted = [name for name in (_STEP, _TIME, _MEMORY, _SPEED, *shown_columns(names)) if name in names]
    table = file.read(columns=wanted)
    return {name: np.asarray(table[name].to_pandas(), np.float64) for name in wanted}


def _lines(log: Path) -> dict[str, "NDArray[np.float64]"]:
    """The log of a training that goes on; of one that is very long, its end."""
    import numpy as np  # noqa: PLC0415

    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _MOST_BYTES))
        rows = [row for row in map(_row, file.read().split(b"\n")) if row is not None]
    names = list(dict.fromkeys(name for row in rows for name in row))
    wanted = [name for name in (_STEP, _TIME, _MEMORY, _SPEED, *shown_columns(names)) if name in names]
    return {name: np.array([row.get(name, math.nan) for row in rows], np.float64) for name in wanted}


def _row(line: bytes) -> dict[str, float] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # the torn line that a kill leaves
        return None
    if not isinstance(row, dict) or _STEP not in row:
        return None
    return row if all(isinstance(value, int | float) for value in row.values()) else None


def _curve(name: str, steps: "NDArray[np.float64]", values: "NDArray[np.float64]") -> ReportedCurve:
    """The curve, averaged over neighboring updates where there are too many to be seen."""
    import numpy as np  # noqa: PLC0415

    shown = np.isfinite(values) & np.isfinite(steps)
    pieces = max(1, min(_MOST_POINTS, int(shown.sum())))
    parts = [(np.array_split(axis[shown], pieces)) for axis in (steps, values)]
    means = [tuple(float(piece.mean()) for piece in part if len(piece)) for part in parts]
    return ReportedCurve(name, *means)


def _costs(columns: Mapping[str, "NDArray[np.float64]"]) -> Numbers:
    import numpy as np  # noqa: PLC0415

    found = []
    if (times := columns.get(_TIME)) is not None and len(times) > 1:
        found.append(("Time of training", duration(working_seconds(times.tolist()))))
    if (speed := columns.get(_SPEED)) is not None and np.isfinite(speed).any():
        found.append(("Items per second", number(float(np.nanmedian(speed)))))
    if (memory := columns.get(_MEMORY)) is not None and np.isfinite(memory).any():
        found.append(("Memory of training", f"{number(float(np.nanmax(memory)))} GiB at most"))
    return tuple(found)


def working_seconds(times: Sequence[float]) -> float:
    """Seconds between the first and the last entry of a log, without the pauses between runs.

    Args:
        times: Unix seconds of the entries.
    """
    gaps = [later - earlier for earlier, later in pairwise(times) if later >= earlier]
    if not gaps:
        return 0.0
    usual = sorted(gaps)[len(gaps) // 2]
    return sum(gap for gap in gaps if gap <= max(_PAUSE * usual, 60.0))
