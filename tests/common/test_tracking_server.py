import os
import socket
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name

from vidrep_pipelines.common.tracking_server import (
    be_impatient,
    database_path,
    require_answer,
    safe_name,
    safe_text,
    send_all,
)

LONGEST = 250


@pytest.mark.parametrize("name", ["rsp.train.steps", "train/loss", "davis.mean J-F", "Ubung/\u00fc 1_2"])
def test_names_that_the_server_takes_stay(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("J&F (mean), %", "J_F _mean__ _-"),
        ("u\u0308bung?", "\u00fcbung_-"),
        ("a:b", "a_b-"),
        ("../up", "_/up-"),
        ("/root//twice/", "root/twice-"),
        ("", "-"),
        ("x" * 300, "x" * 200),
    ],
)
def test_other_names_are_changed_as_little_as_possible(name: str, beginning: str) -> None:
    assert safe_name(name).startswith(beginning)


def test_composed_and_decomposed_names_are_one() -> None:
    assert safe_name("caf\u00e9") == safe_name("cafe\u0301") == "caf\u00e9"


@given(st.text(max_size=300))
@example("a/./b")
@example("\udcff\x00")
@example("..")
def test_the_server_takes_every_safe_name(name: str) -> None:
    safe = safe_name(name)
    _validate_metric_name(safe)
    _validate_param_name(safe)
    assert 0 < len(safe.encode()) <= LONGEST
    assert safe_name(safe) == safe


@given(st.sets(st.text("a.:%/&", min_size=1, max_size=4), min_size=2, max_size=8))
@example({"a&", "a%"})
@example({"a/a", "a//a"})
def test_different_names_stay_different(names: set[str]) -> None:
    assert len({safe_name(name) for name in names}) == len(names)


def test_text_for_databases() -> None:
    assert safe_text("x" * 20, 7) == "x" * 7
    assert safe_text(["a", 1], 99) == "['a', 1]"
    assert safe_text("clip\udcff\x00.mp4", 99) == "clip\\udcff\\0.mp4"


# --- who answers


class AskedError(Exception):
    """Raised in place of a connection."""


def asked_of(address: str, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[str, int], float]:
    """Host, port and seconds of the connection that would be made."""

    def connect(place: tuple[str, int], seconds: float) -> None:
        raise AskedError(place, seconds)

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    with pytest.raises(AskedError) as caught:
        require_answer(address)
    return caught.value.args[0], caught.value.args[1]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://host", ("host", 80)),
        ("https://me:secret@host/mlflow", ("host", 443)),
        ("http://host:5000", ("host", 5000)),
        ("postgresql+psycopg2://me:secret@host/runs", ("host", 5432)),
        ("mysql://host:7/runs", ("host", 7)),
    ],
)
def test_somebody_must_answer_within_seconds(
    address: str, place: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, seconds = asked_of(address, monkeypatch)
    assert found == place
    assert 0 < seconds <= 5


def test_what_is_behind_a_proxy_or_no_server_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AskedError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy:3128"})
    monkeypatch.setattr(urllib.request, "proxy_bypass", lambda host: host == "inside")
    require_answer("https://outside/mlflow")
    require_answer("databricks://profile")
    with pytest.raises(AskedError):
        require_answer("https://inside/mlflow")


def test_a_database_that_cannot_be_one_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough" * 30)
    with pytest.raises(OSError, match=r"text\.db: file is not a database"):
        require_answer(f"sqlite:///{tmp_path}/text.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(OSError, match=r"folder\.db: unable to open database file"):
        require_answer(f"sqlite:///{tmp_path}/folder.db")
    require_answer(f"sqlite:///{tmp_path}/new/folder/new.db")
    assert list((tmp_path / "new/folder").iterdir()) == []  # asking creates no empty database


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("sqlite:///data/mlflow.db", Path("data/mlflow.db")),
        ("sqlite:////data/m.db?timeout=9", Path("/data/m.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql://host/x.db", None),
    ],
)
def test_files_of_databases(address: str, path: Path | None) -> None:
    assert database_path(address) == path


def test_patience_is_bounded_where_the_user_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT")
    for name in names:
        monkeypatch.setenv(name, "")  # so that monkeypatch removes it again
        monkeypatch.delenv(name)
    be_impatient()

    retries, seconds = (int(os.environ[name]) for name in names)
    assert (retries + 1) * seconds <= 30
    monkeypatch.setenv(names[0], "9")
    be_impatient()
    assert os.environ[names[0]] == "9"


# --- refusals


class RefusalError(Exception):
    error_code = "INVALID_PARAMETER_VALUE"


class Server:
    """Takes batches without the number 3."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def send(self, batch: Sequence[int]) -> None:
        if 3 in batch:
            raise RefusalError("not three")
        self.taken += batch


def test_a_refused_entry_costs_nothing_but_itself() -> None:
    server = Server()
    assert send_all(server.send, [1, 2, 3, 4, 5, 3], 2) == ["not three", "not three"]
    assert server.taken == [1, 2, 4, 5]


def test_another_error_is_raised() -> None:
    def lose(_: Sequence[int]) -> None:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        send_all(lose, [1, 2], 2)
