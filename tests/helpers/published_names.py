"""The names and shapes of published weights, where their lists are present."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

_DEFAULT = Path(__file__).parents[3] / "shared" / "specs"


def published_names(system: str) -> Any:
    """The list ``<system>_keys.json`` below ``VIDREP_SHARED_SPECS``; without it the calling test skips."""
    path = Path(os.environ.get("VIDREP_SHARED_SPECS") or _DEFAULT) / f"{system}_keys.json"
    if not path.is_file():
        pytest.skip(f"the list of published names {path} is not here; set VIDREP_SHARED_SPECS")
    return json.loads(path.read_text())
