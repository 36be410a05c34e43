import collections
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.restricted_pickle import load_plain_pickle


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    rows = [(0, "abseiling/x y.mp4"), (1, "ü/b.mp4"), {"a": [1.5, None, True, b"x"]}]
    (tmp_path / "rows").write_bytes(pickle.dumps(rows, protocol))
    if protocol < 3:  # bytes need a function call there
        rows = rows[:2]
        (tmp_path / "rows").write_bytes(pickle.dumps(rows, protocol))
    assert load_plain_pickle(tmp_path / "rows") == rows


@pytest.mark.parametrize(
    "value", [Malicious(), [Malicious()], np.zeros(2), collections.OrderedDict(a=1), print]
)
def test_everything_else_is_refused_and_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad").write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=r"bad was not read: it wants to call .* convert it to a table"):
        load_plain_pickle(tmp_path / "bad")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"\x80", b"hello", pickle.dumps([1, 2])[:-3]])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "torn").write_bytes(content)
    with pytest.raises(InputError, match="torn was not read"):
        load_plain_pickle(tmp_path / "torn")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        load_plain_pickle(tmp_path / "nowhere")


def test_a_page_in_place_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("<!DOCTYPE html><html>sign in</html>")
    with pytest.raises(InputError, match=r"rows was not read: it is a web page.*open it in a browser"):
        load_plain_pickle(tmp_path / "rows")
