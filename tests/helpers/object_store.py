"""An object store like S3 on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BUCKET = "clips"


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts a store with an empty bucket; the environment makes every process's S3 driver use it.

    Yields:
        A client of boto3.
    """
    server = pytest.importorskip("moto.server", reason="needs the development tools").ThreadedMotoServer(
        port=0
    )
    boto3 = pytest.importorskip("boto3", reason="needs the development tools")
    pytest.importorskip("s3fs", reason="needs the extra remote")
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client
    finally:
        server.stop()


def upload(client: Any, folder: Path, prefix: str) -> None:
    """Stores all files of a folder under a prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(folder).as_posix()}")
