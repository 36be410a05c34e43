"""What a run is made with: code, environment, machine, versions; and the digest of what it read."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from vidrep_pipelines.common.digest import digest_of

_LIBRARIES = ("vidrep-pipelines", "torch", "numpy", "av", "kedro", "timm")


@dataclass(frozen=True)
class RunFacts:
    """Code and machine of a run.

    Attributes:
        commit: ``"commit 1a2b3c"``, with a note if files were changed since; empty outside of a repository.
        environment: Environment of the configuration.
        device: Graphics processors, if torch was used and sees any, else the processor.
        versions: Of Python and of the libraries that decide.
    """

    commit: str
    environment: str
    device: str
    versions: dict[str, str]

    @classmethod
    def of(cls, project: Path, environment: str) -> Self:
        """The facts as they are now.

        Args:
            project: The project's folder.
            environment: Environment of the configuration.
        """
        return cls(_commit(project), environment, used_device(), _versions())

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.commit, f"environment {self.environment}", self.device]))


def data_digest(inputs: Mapping[str, Any]) -> str:
    """Changes with the data that a node measured or trained on; empty if none of its inputs knows a digest.

    Args:
        inputs: What the node read, by name. A table with the columns id and digest comes first, then a store,
            then the plan of a training.
    """
    table = _table_of_data(inputs)
    if table is not None:
        return digest_of(table["id"].astype(str).tolist(), table["digest"].astype(str).tolist())
    for value in inputs.values():
        if isinstance(getattr(value, "content_digest", None), str):
            return str(value.content_digest)
    plans = [value for value in inputs.values() if isinstance(value, Mapping) and "data_digest" in value]
    return str(plans[0]["data_digest"]) if plans else ""


def names_of_data(inputs: Mapping[str, Any]) -> list[str]:
    """Names of the videos that a node measured on; none if it read no table of them."""
    table = _table_of_data(inputs)
    return [] if table is None else table["id"].astype(str).tolist()


def _table_of_data(inputs: Mapping[str, Any]) -> Any | None:
    for value in inputs.values():
        if {"id", "digest"} <= set(getattr(value, "columns", ())):
            return value
    return None


def _commit(project: Path) -> str:
    if not (project / ".git").exists():
        return ""
    try:
        commit = _git(project, "rev-parse", "--short", "HEAD")
        changed = _git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"commit {commit}{' with changes' if changed else ''}"


def _git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def used_device() -> str:
    """The graphics processors, if torch was used in this process and sees any, else the processor."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        count = torch.cuda.device_count()
        return (
            f"{count} x {torch.cuda.get_device_name(0)}" if count > 1 else str(torch.cuda.get_device_name(0))
        )
    return f"{os.cpu_count()} cores of {platform.machine()}"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
