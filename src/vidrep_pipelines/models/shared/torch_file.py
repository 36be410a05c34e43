"""Files that ``torch.save`` wrote, read without executing anything that is in them.

PyTorch's own reader builds tensors and plain containers and refuses the rest. Training programs put more
beside the weights: callbacks, configurations, loggers. Each such class becomes an inert stand-in here, which
takes whatever it is given and keeps nothing, so that the weights beside it can be read.
"""

import logging
import pickle
import re
import warnings
from pathlib import Path
from typing import Any, Self

import torch

from vidrep_pipelines.common.pickle_bounds import check_saved_tensors, classes_in_saved_tensors

_log = logging.getLogger(__name__)

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_REFUSED = re.compile(r"(?:GLOBAL|global:?|function)\s+<?(?:class|function)?\s*'?([\w.]+\.\w+)")


class Inert:
    """Stands in for an object of another program's class; the class of each is named like the original."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Takes what the original's constructor took."""
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Keeps nothing."""

    def __setstate__(self, state: object) -> None:
        """Keeps nothing."""


def load_torch_file(path: Path) -> Any:
    """All of a file; what is neither a tensor nor plain data is an :class:`Inert` stand-in.

    Raises:
        pickle.UnpicklingError: It asks for something that cannot be stood in for; nothing was executed.
        ValueError: It would unpack to more than it holds.
        RuntimeError: It is damaged, or a program (TorchScript), which is not run.
    """
    with path.open("rb") as file:
        check_saved_tensors(file)
        try:
            return _load(path)
        except pickle.UnpicklingError:
            names = classes_in_saved_tensors(file)
    stand_ins: list[Any] = [(type(name, (Inert,), {}), name) for name in sorted(names)]
    with torch.serialization.safe_globals(stand_ins):
        content = _load(path)
    _log.info("%s: read without the classes of other programs that are in it", path)
    return content


def refusal(error: Exception) -> str:
    """What PyTorch refused, in one line without the colors and advice of its message."""
    lines = [line.strip() for line in _COLORS.sub("", str(error)).splitlines() if line.strip()]
    for line in lines:
        if found := _REFUSED.search(line):
            return f"it wants to use {found[1]}"
    return lines[0] if lines else type(error).__name__


def _load(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript was found, before it is refused
        return torch.load(path, map_location="cpu", weights_only=True)
