"""Weights that are derived from a run or a published file, and written beside it."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from vidrep_pipelines.common.atomic import atomic_file


def write_weights(state: Mapping[str, Tensor], path: Path) -> None:
    """Writes a safetensors file, unless it holds exactly these weights already.

    So a run that is finished can be gone through again where nothing can be written.
    """
    content = save({name: value.contiguous() for name, value in state.items()})
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
