"""The mark of these tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Registers the mark: ``-m cases`` chooses these tests, ``-m "not cases"`` leaves them out."""
    config.addinivalue_line("markers", "cases: runs an input that failed once through its pipelines")
