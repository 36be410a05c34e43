"""Runs the project's pipelines on a data folder of the test's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from kedro.framework import project
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

ROOT = Path(__file__).parents[2]

TINY: dict[str, Any] = {
    "sample_world": {"clips": 6, "width": 128, "height": 96, "frames_min": 50, "frames_max": 60},
    "resize": {"short_side": 64},
    "fanout": {"workers": 2},
    "launch": {"loader_workers": 0, "device": "cpu"},
    "tracking": {"enabled": False},
    "rsp": {
        "model": {
            "image_size": 32,
            "embedding_dimension": 16,
            "depth": 1,
            "heads": 2,
            "decoder_dimension": 16,
            "decoder_depth": 1,
            "decoder_heads": 2,
            "latent_variables": 4,
            "latent_classes": 4,
        },
        "train": {"steps": 6, "batch_size": 4, "optimizer": {"warmup_steps": 1}, "checkpoint_every_steps": 2},
        "probe": {"sequences": 1, "frames": 3},
        "futures": {"clips": 2, "world": {"width": 64, "height": 48, "frames_min": 16, "frames_max": 20}},
    },
}
"""Parameters with which ``pretrain_rsp`` takes seconds."""


def merged(*trees: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts merged, later ones first in precedence."""
    result: dict[str, Any] = {}
    for tree in trees:
        for key, value in tree.items():
            old = result.get(key)
            both = isinstance(value, Mapping) and isinstance(old, Mapping)
            result[key] = merged(old, value) if both else value
    return result


def bootstrap() -> None:
    """Tells Kedro of this project, once per process: it would list all pipelines again after every time."""
    if project.PACKAGE_NAME != "vidrep_pipelines":
        bootstrap_project(ROOT)


def run_pipeline(
    pipeline: str | Sequence[str], data: Path, parameters: Mapping[str, Any], **options: Any
) -> None:
    """Runs one or several pipelines in one real Kedro session here, with ``VIDREP_DATA`` set to ``data``."""
    names = [pipeline] if isinstance(pipeline, str) else list(pipeline)
    former = os.environ.get("VIDREP_DATA")
    os.environ["VIDREP_DATA"] = str(data)
    try:
        bootstrap()
        with KedroSession.create(ROOT, runtime_params=dict(parameters)) as session:
            session.run(pipeline_names=names, **options)
    finally:
        if former is None:
            del os.environ["VIDREP_DATA"]
        else:
            os.environ["VIDREP_DATA"] = former


def load(name: str, data: Path) -> Any:
    """Loads a catalog dataset, anew with every call."""
    os.environ["VIDREP_DATA"] = str(data)
    try:
        return _catalog(data).load(name)
    finally:
        del os.environ["VIDREP_DATA"]


@lru_cache(maxsize=2)
def _catalog(data: Path) -> Any:
    """Says where everything lies; to read it takes a second, and tests load many datasets of one folder."""
    bootstrap()
    with KedroSession.create(ROOT) as session:
        return session.load_context().catalog


def flat_parameters(parameters: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Nested parameters as ``a.b=c`` for ``--params``."""
    found: list[str] = []
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        found += flat_parameters(value, f"{name}.") if isinstance(value, Mapping) else [f"{name}={value}"]
    return found


def start_kedro(
    pipeline: str, data: Path, parameters: Mapping[str, Any], log: Path
) -> subprocess.Popen[bytes]:
    """Starts ``kedro run`` as a process of its own, in a process group of its own."""
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", pipeline]
    command += ["--params", ",".join(flat_parameters(parameters))]
    environment = {**os.environ, "VIDREP_DATA": str(data)}
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    """Polls until the condition holds; False when time runs out."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """``kill -9`` of a process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
