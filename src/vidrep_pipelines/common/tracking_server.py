"""What a tracking server (MLflow) wants of its clients: names that it takes, and a bound on patience."""

import hashlib
import os
import re
import socket
import sqlite3
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from vidrep_pipelines.common.text import composed

T = TypeVar("T")

# MLflow's own defaults keep a run waiting for many minutes when the server does not answer.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_SECONDS_TO_CONNECT = 3.0
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SQLITE = "sqlite:///"

# What MLflow accepts everywhere, on Windows too, is letters, digits and these; a name must also be a path in
# its plainest form, and the longest is 250 characters. File systems count bytes.
_REFUSED = re.compile(r"[^\w/. -]")
_LONGEST_NAME = 240
_REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"}


def safe_name(name: str) -> str:
    """A name of a parameter, metric or picture as MLflow takes it; most are returned as they are.

    Composed characters replace decomposed ones, ``_`` what MLflow refuses. A changed name ends in a digest of
    the original, so that two of them never become one. Safe names are fixed points.
    """
    spelled = composed(name)
    parts = [_REFUSED.sub("_", part) for part in spelled.split("/")]
    safe = "/".join("_" if part in {".", ".."} else part for part in parts if part)
    if safe == spelled and safe and len(safe.encode()) <= _LONGEST_NAME:
        return safe
    mark = hashlib.sha256(spelled.encode(errors="surrogatepass")).hexdigest()[:8]
    kept = safe.encode()[: _LONGEST_NAME - len(mark) - 1].decode(errors="ignore").rstrip("/")
    return f"{kept}-{mark}"


def safe_text(value: object, longest: int) -> str:
    """A value as text that databases take: valid UTF-8 without NUL, of ``longest`` characters at most."""
    return str(value).encode(errors="backslashreplace").decode().replace("\0", "\\0")[:longest]


def be_impatient() -> None:
    """Bounds how long MLflow tries. What the user has set stays; must come before MLflow is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for variable, value in _PATIENCE.items():
        os.environ.setdefault(variable, value)


def require_answer(address: str) -> None:
    """Asks whether anybody is there, within seconds; MLflow itself asks databases for two minutes.

    Args:
        address: Address of a server or a database. Other kinds are not asked.

    Raises:
        OSError: Nobody answers, or the file of an SQLite database cannot be opened.
    """
    if address.startswith(_SQLITE):
        _require_database(address)
        return
    parts = urlsplit(address)
    scheme = parts.scheme.partition("+")[0]
    behind_proxy = scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(
        parts.hostname or ""
    )
    if scheme in _PORTS and parts.hostname and not behind_proxy:
        socket.create_connection((parts.hostname, parts.port or _PORTS[scheme]), _SECONDS_TO_CONNECT).close()


def database_path(address: str) -> Path | None:
    """The file of an SQLite database; None for other addresses and for databases in memory."""
    path = address.removeprefix(_SQLITE).partition("?")[0]
    return Path(path) if address.startswith(_SQLITE) and path not in {"", ":memory:"} else None


def _require_database(address: str) -> None:
    path = database_path(address)
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return
    try:
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA schema_version")
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):  # somebody writes, which passes
            raise OSError(f"{path}: {error}") from error
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}") from error


def is_refusal(error: Exception) -> bool:
    """Whether MLflow refused what was sent, so that other things can still be sent."""
    return getattr(error, "error_code", "") in _REFUSALS


def send_all(send: Callable[[Sequence[T]], object], entries: Sequence[T], at_once: int) -> list[str]:
    """Sends ``at_once`` entries at a time, and one by one those of a refused batch.

    Returns:
        Why entries were refused; they cost nothing but themselves.

    Raises:
        Exception: Whatever ``send`` raises that is no refusal.
    """
    refused: list[str] = []
    for start in range(0, len(entries), at_once):
        batch = entries[start : start + at_once]
        try:
            send(batch)
        except Exception as error:
            if not is_refusal(error):
                raise
            if len(batch) == 1:
                refused.append(str(error))
            else:
                refused += send_all(send, batch, 1)
    return refused
