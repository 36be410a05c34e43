"""The two halves of a jointly trained model, as checkpoints of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import load_file
from torch import Tensor

from vidrep_pipelines.models.shared.own_weights import write_weights


class Parts(NamedTuple):
    """Folders, each with a ``model.safetensors``."""

    tokenizer: Path
    occupancy: Path


def write_parts(weights: Path, folder: Path) -> Parts:
    """Divides the weights of a :class:`~vidrep_pipelines.models.voc.joint.model.JointModel`.

    Args:
        weights: A safetensors file of the whole model.
        folder: Receives the folders of the parts.
    """
    state = load_file(weights)
    parts = Parts(folder / "tokenizer", folder / "occupancy")
    for name, path in parts._asdict().items():
        _write(state, f"{name}.", path)
    return parts


def _write(state: Mapping[str, Tensor], prefix: str, folder: Path) -> None:
    part = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    write_weights(part, folder / "model.safetensors")
