"""The real videos that some tests use where they are present."""

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).parents[2] / "../shared/data"


def real_clip(name: str) -> Path:
    """Path of a real video below ``VIDREP_SHARED_DATA``; the calling test is skipped where it is absent."""
    path = Path(os.environ.get("VIDREP_SHARED_DATA", _DEFAULT)) / "clips" / name
    if not path.is_file():
        pytest.skip(f"the real clip {path} is not here")
    return path


def shared_folder(name: str) -> Path:
    """Path of a folder below ``VIDREP_SHARED_DATA``; the calling test is skipped where it is absent."""
    path = Path(os.environ.get("VIDREP_SHARED_DATA", _DEFAULT)) / name
    if not path.is_dir():
        pytest.skip(f"the samples {path} are not here")
    return path
