"""A finished tiny run, made once and copied for every test that goes on from it."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.project import TINY, run_pipeline


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after ``pretrain_rsp``. Not to be written to."""
    data = tmp_path_factory.mktemp("finished")
    run_pipeline("pretrain_rsp", data, TINY)
    return data


@pytest.fixture
def data(finished_run: Path) -> Path:
    """The same folder's content, put in its place for the test and restored afterwards.

    Tests compare times and names of files with those of the first run, which a copy elsewhere would not have.
    """
    backup = finished_run.with_name(finished_run.name + "-backup")
    shutil.copytree(finished_run, backup, copy_function=shutil.copy2)
    yield finished_run
    shutil.rmtree(finished_run)
    backup.rename(finished_run)
