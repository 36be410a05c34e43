"""Inputs of readers that open a path themselves."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written(content: bytes, name: str) -> Iterator[Path]:
    """A file of this content for as long as it is read; fixtures are the same for all examples of a test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path
