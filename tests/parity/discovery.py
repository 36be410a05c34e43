"""Finds the recorded cases of the published systems: <root>/<system>/<kind>_<anything>/."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Case:
    """One folder of recorded inputs and outputs."""

    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "config.json").read_text())
        return content

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        with np.load(self.folder / "io.npz", allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def tensors(self) -> dict[str, Tensor]:
        """The arrays that are numbers, at the precision that is being computed in."""
        numbers = {name: array for name, array in self.arrays().items() if array.dtype.kind in "biuf"}
        return {name: at_precision(torch.from_numpy(array)) for name, array in numbers.items()}


Check = Callable[[Case], None]


def at_precision(values: Tensor) -> Tensor:
    """Recorded numbers at least at the precision of new networks; integers stay."""
    wanted = torch.promote_types(values.dtype, torch.get_default_dtype())
    return values.to(wanted) if values.is_floating_point() else values


def parity_folder(system: str) -> Path:
    """Where the cases of a system lie: ``$VIDREP_PARITY_DIR/<system>``."""
    root = os.environ.get("VIDREP_PARITY_DIR")
    return (Path(root) if root else _REPOSITORY.parent / "shared" / "parity") / system


def find_cases(folder: Path) -> list[Case]:
    """Every case in the folder, whatever it is called."""
    if not folder.is_dir():
        return []
    entries = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    return [Case(entry) for entry in entries if not entry.name.startswith((".", "_"))]


def pair_with_checks(
    cases: list[Case], checks: Mapping[str, tuple[Check, ...]], unknown: Check
) -> list[tuple[Case, Check]]:
    """Every case with every check of its kind, ``<kind>[_<anything>]``; others with ``unknown``."""
    return [(case, check) for case in cases for check in checks.get(_kind(case, checks), (unknown,))]


def _kind(case: Case, kinds: Iterable[str]) -> str:
    """The longest kind that the folder's name is or begins with, or nothing."""
    matching = [kind for kind in kinds if f"{case.folder.name}_".startswith(f"{kind}_")]
    return max(matching, key=len, default="")


def name_of(value: Case | Check | str) -> str:
    """How pytest calls a case, a check or a precision."""
    if isinstance(value, str):
        return value
    return value.folder.name if isinstance(value, Case) else value.__name__.removeprefix("check_")
