"""Networks that are published as programs (TorchScript), run only if every byte is the published one.

A TorchScript file can read and write any file while it is loaded or run, so being called by the right name is
not enough: whoever can change the file would run what they like.
"""

import hashlib
import io
import zipfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from vidrep_pipelines.common.errors import InputError

PUBLISHED = MappingProxyType(
    {
        "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2": "i3d_torchscript.pt",
        "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4": "inception-2015-12-05.pt",
    }
)
"""SHA-256 of the files that are known, and their names."""

_LARGEST_BYTES = 256 * 2**20


def is_program(path: Path) -> bool:
    """Whether a file is TorchScript. Nothing in it is read but the names of its parts."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(Path(name).name == "constants.pkl" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def load_published_program(path: Path, name: str, how_to_get: str) -> nn.Module:
    """Loads a network from the published file of that name.

    Args:
        path: The file; what it is called does not matter.
        name: Which of the published ones it has to be.
        how_to_get: What an error says about getting it.

    Raises:
        InputError: There is no such file, or it is any other one; nothing in it was executed.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}. {how_to_get}")
    if path.stat().st_size > _LARGEST_BYTES:
        raise InputError(f"{path} is too large to be {name}; nothing in it was executed. {how_to_get}")
    content = path.read_bytes()  # what was checked is what is run, though the file is changed in between
    if PUBLISHED.get(hashlib.sha256(content).hexdigest()) != name:
        if not is_program(path):
            raise InputError(f"{path} is no TorchScript network, let alone {name}. {how_to_get}")
        raise InputError(
            f"{path} holds another network: its SHA-256 is not that of the published {name}. TorchScript is "
            f"a program; nothing in it was executed. {how_to_get}"
        )
    module: Any = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
    network: nn.Module = module.eval()
    return network
