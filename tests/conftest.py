"""What all tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Tests must behave the same whatever the developer's shell exports.
for name in (
    "VIDREP_DAVIS",
    "VIDREP_JHMDB",
    "VIDREP_VIP",
    "VIDREP_DATA",
    "VIDREP_VIDEOS",
    "VIDREP_ANNOTATIONS",
    "VIDREP_GPUS",
    "KEDRO_ENV",
):
    os.environ.pop(name, None)
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as settings.py does; tests share their cores


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The root of the repository."""
    return ROOT
