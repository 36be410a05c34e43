"""Replay buffers in the published layout."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

LENGTHS, SIDE = (5, 7), 8


def make_columns(stack: int = 1, side: int = SIDE) -> dict[str, Any]:
    """Two episodes in the published layout; the numbers of a row tell which it is."""
    rows = sum(LENGTHS)
    pictures = np.random.default_rng(0).integers(0, 256, (rows, 3 * stack, side, side), dtype=np.uint8)
    kinds = np.concatenate([[0, *[1] * (length - 2), 2] for length in LENGTHS])
    actions = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2) / 100
    columns = {
        "observation": pictures,
        "action": actions,
        "reward": np.arange(rows, dtype=np.float32),
        "discount": np.where(kinds == 2, 0.0, 1.0).astype(np.float32),
        "step_type": kinds,
    }
    columns["action"][kinds == 0] = 0
    return columns


def write_buffer(path: Path, columns: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **columns)
        return path
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values
    return path
