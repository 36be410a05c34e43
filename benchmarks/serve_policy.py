"""A policy that is asked by eight clients at once: requests planned together, against one after the other."""

import multiprocessing
import os
import signal
import socket
import time
import urllib.error
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.timing import Result
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest
from vidrep_pipelines.serving.client import PolicyClient
from vidrep_pipelines.serving.config import ServingConfig
from vidrep_pipelines.serving.server import make_server
from vidrep_pipelines.serving.service import PolicyService

CLIENTS, SECONDS, SIDE = 8, 60.0, 256
WIDTH, LAYERS = 2048, 4
HOW = (
    f"wall time of a plan, median; {CLIENTS} clients ask for {SECONDS:g} s as fast as they are answered, "
    f"over HTTP on loopback, with a picture of {SIDE} pixels each; the service is a process of its own; its "
    f"policy multiplies {LAYERS} matrices of {WIDTH} x {WIDTH}, whose reading costs the same for one request "
    "and for eight; reference: the same service with one request in a call; "
)


class Matrices:
    """A policy as expensive for one observation as for a few."""

    chunk_length = 10

    def __init__(self) -> None:
        draws = np.random.default_rng(0).standard_normal((LAYERS, WIDTH, WIDTH), np.float32)
        self._weights = draws / np.float32(WIDTH**0.5)

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, 10, 7) numbers."""
        seen = [next(iter(request.observation.pictures.values())).reshape(-1)[:WIDTH] for request in requests]
        values = np.stack(seen).astype(np.float32) / 255
        for weights in self._weights:
            values = np.tanh(values @ weights)
        return values[:, :70].astype(np.float64).reshape(len(requests), 10, 7)


@dataclass(frozen=True, eq=False)
class Load:
    """What happened under load.

    Attributes:
        seconds: Of every request that was answered.
        errors: Texts of those that were not.
        wall: Seconds in all.
    """

    seconds: FloatArray
    errors: list[str]
    wall: float

    def milliseconds(self, share: float) -> float:
        """The latency that this share of the requests stayed below."""
        return 1000 * float(np.quantile(self.seconds, share))


@contextmanager
def service_process(most: int) -> Iterator[str]:
    """A service in a process of its own that plans up to ``most`` requests in one call, and its address."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(most, there))
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        if process.pid is not None:
            os.kill(process.pid, signal.SIGTERM)
        process.join(30)
        process.kill()


def _serve(most: int, port: Connection) -> None:
    config = ServingConfig.model_validate(
        {"batching": {"most": most}, "bounds": {"per_second": 100_000}, "log_seconds": 10}
    )
    service = PolicyService(Matrices(), "matrices", config)
    listener = socket.create_server(("127.0.0.1", 0))
    port.send(listener.getsockname()[1])
    make_server(service, token=None).run([listener])


def load_service(address: str, clients: int, seconds: float) -> Load:
    """Lets clients ask as fast as they are answered.

    Args:
        address: Of the service.
        clients: How many ask at one time.
        seconds: For how long.
    """
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        asked = list(pool.map(lambda number: _ask(address, number, began + seconds), range(clients)))
    wall = time.perf_counter() - began
    return Load(
        np.array([each for times, _ in asked for each in times]),
        [text for _, errors in asked for text in errors],
        wall,
    )


def _ask(address: str, number: int, until: float) -> tuple[list[float], list[str]]:
    picture = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    client, times, errors, step = PolicyClient(address, rate=10, timeout=60), [], [], 0
    while (began := time.perf_counter()) < until:
        client.reset()
        try:
            chunk = client.plan(
                {"front": picture}, "go", time_stamp=float(step), episode=f"{number}", step=step
            )
        except (urllib.error.URLError, OSError) as error:
            errors.append(f"{type(error).__name__}: {error}")
        else:
            times.append(time.perf_counter() - began)
            if chunk.shape != (Matrices.chunk_length, 7):
                errors.append(f"a chunk of {chunk.shape}")
        step += 1
    return times, errors


def run() -> dict[str, Result]:
    loads = []
    for most in (CLIENTS, 1):
        with service_process(most) as address:
            load_service(address, CLIENTS, 1.0)
            loads.append(load_service(address, CLIENTS, SECONDS))
    if errors := [text for load in loads for text in load.errors]:
        raise AssertionError(f"{len(errors)} requests failed: {errors[0]}")
    ours, reference = loads
    percentiles = ", ".join(
        f"{ours.milliseconds(share):.0f} ms at {100 * share:g} %" for share in (0.95, 0.99)
    )
    result = Result(
        ratio=reference.milliseconds(0.5) / ours.milliseconds(0.5),
        ours=ours.milliseconds(0.5),
        reference=reference.milliseconds(0.5),
        unit="milliseconds",
        how=f"{HOW}ours: {len(ours.seconds)} plans, no error, {percentiles}",
    )
    return {"serve_policy": result}
