"""A service that listens on this machine, and what is said to it, byte by byte where that matters."""

import base64
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.helpers import serve_extra  # noqa: F401 - first
from tests.helpers.rollouts import Noisy
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy
from vidrep_pipelines.serving.config import ServingConfig
from vidrep_pipelines.serving.server import make_server
from vidrep_pipelines.serving.service import PolicyService

PICTURE: Pixels = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)


@dataclass(frozen=True)
class Listening:
    """A running service."""

    port: int
    service: PolicyService

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def said(self, request: bytes) -> bytes:
        """Everything that is answered until the connection ends."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def listening(
    policy: ChunkPolicy | None = None, token: str | None = None, **parameters: Any
) -> Iterator[Listening]:
    config = ServingConfig.model_validate({"vla_eval": {"execute_steps": 2}} | parameters)
    listener = socket.create_server(("127.0.0.1", 0))
    service = PolicyService(policy or Noisy(), "a policy", config)
    server = make_server(service, token)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        until(lambda: server.started)
        yield Listening(listener.getsockname()[1], service)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Waits for something that happens elsewhere."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def asked(**changed: Any) -> dict[str, Any]:
    """A request to ``/plan``."""
    picture = {"format": "raw", "height": 8, "width": 6, "data": base64.b64encode(PICTURE.tobytes()).decode()}
    return {
        "pictures": {"front": picture},
        "instruction": "lift the red block",
        "time_stamp": 12.5,
        "state": [0.5, -1.0],
    } | changed


def post(
    address: str, body: object, headers: Mapping[str, str] | None = None, timeout: float = 60
) -> tuple[int, dict[str, Any]]:
    """Status and answer of ``/plan``."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    all_headers = {"Content-Type": "application/json"} | dict(headers or {})
    request = urllib.request.Request(f"{address}/plan", data, all_headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def get(address: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    request = urllib.request.Request(f"{address}{path}", headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
