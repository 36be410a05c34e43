"""What all tests share."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fuzz.schedule import FuzzSchedule

ROOT = Path(__file__).parents[1]

# Tests must behave the same whatever the developer's shell exports.
for name in (
    "VIDREP_DAVIS",
    "VIDREP_JHMDB",
    "VIDREP_VIP",
    "VIDREP_TAPVID",
    "VIDREP_SSV2",
    "VIDREP_PROBE_TRAIN",
    "VIDREP_PROBE_VALIDATION",
    "VIDREP_DATA",
    "VIDREP_VIDEOS",
    "VIDREP_ANNOTATIONS",
    "VIDREP_GPUS",
    "KEDRO_ENV",
):
    os.environ.pop(name, None)
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ["VIDREP_TASK_PACKAGES"] = "tests"  # their tasks are toys of their own
if "PYTEST_XDIST_WORKER" in os.environ:  # one process per core already
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as settings.py does; tests share their cores
# Started in the background of a shell, one would ignore Ctrl-C, and so would every process that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` draws the same examples on every machine; `make fuzz` draws new ones. What that finds becomes an
# explicit example of its test.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("VIDREP_HYPOTHESIS", "deterministic"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """For `make fuzz`."""
    parser.addoption("--fuzz-minutes", type=float, help="repeat fuzz tests for so long")


def pytest_configure(config: pytest.Config) -> None:
    """Spends the minutes of `make fuzz`."""
    minutes = config.getoption("--fuzz-minutes")
    if minutes is not None:
        config.pluginmanager.register(FuzzSchedule(minutes))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The root of the repository."""
    return ROOT
