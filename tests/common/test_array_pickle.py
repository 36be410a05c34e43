import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.array_pickle import load_array_pickle
from vidrep_pipelines.common.errors import InputError

CONTENT = {
    "language": {"ann": ["lift the block", "ü"], "task": ("lift", "push"), "emb": np.ones((2, 1, 4), "f4")},
    "info": {
        "indx": [(np.int64(3), 7)],
        "scores": np.arange(6).reshape(2, 3).T,
        "names": np.array(["a", "bc"]),
    },
    "objects": np.array([{"a": 1}, None], dtype=object),
    "columns of objects": np.array([["a", None, 1], [2, "b", 3]], dtype=object).T,
    "big endian": np.arange(3, dtype=">i2"),
    "flags": np.array([True, False]),
    "none": np.zeros((0, 3), "f8"),
}


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and found.shape == expected.shape
        return all(map(same, found.ravel().tolist(), expected.ravel().tolist()))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return type(found) is type(expected) and all(map(same, found, expected))
    return bool(found == expected)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(CONTENT, protocol))
    assert same(load_array_pickle(tmp_path / "a.pkl"), CONTENT)


def test_files_of_one_object(tmp_path: Path) -> None:
    np.save(tmp_path / "auto_lang_ann.npy", CONTENT, allow_pickle=True)
    assert same(load_array_pickle(tmp_path / "auto_lang_ann.npy"), CONTENT)


@pytest.mark.parametrize("value", [Malicious(), {"a": [Malicious()]}, np.array([Malicious()], dtype=object)])
@pytest.mark.parametrize("suffix", ["pkl", "npy"])
def test_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"bad.{suffix}"
    path.write_bytes(pickle.dumps(value)) if suffix == "pkl" else np.save(path, value, allow_pickle=True)
    with pytest.raises(InputError, match=r"bad\.\w+ was not read: it wants to call posix\.mkdir"):
        load_array_pickle(path)
    assert not (tmp_path / "executed").exists()


class Described:
    """An array whose description is false."""

    def __init__(self, kind: object, shape: tuple[int, ...], content: bytes) -> None:
        self.state = (1, shape, kind, False, content)

    def __reduce__(self) -> tuple[object, ...]:
        return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), self.state


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (np.dtype("f8"), (1000,)),
        (np.dtype("f8"), (-1, -2)),
        (np.dtype([("a", "f4"), ("b", "f4")]), (2,)),
        (np.dtype("M8[s]"), (2,)),
        (np.dtype("V8"), (2,)),
        ("f8", (2,)),
    ],
    ids=str,
)
def test_false_descriptions_are_refused(tmp_path: Path, kind: object, shape: tuple[int, ...]) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Described(kind, shape, bytes(16))))
    with pytest.raises(InputError, match=r"a\.pkl was not read"):
        load_array_pickle(tmp_path / "a.pkl")


def test_the_same_bytes_many_times_cost_nothing(tmp_path: Path) -> None:
    content = bytes(4 << 20)
    (tmp_path / "a.pkl").write_bytes(
        pickle.dumps([Described(np.dtype("u1"), (4 << 20,), content) for _ in range(8)], 4)
    )
    with within_limits(mebibytes=28):
        assert len(load_array_pickle(tmp_path / "a.pkl")) == 8


def test_missing_and_torn_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_array_pickle(tmp_path / "none.pkl")
    np.save(tmp_path / "plain.npy", np.zeros(3))
    (tmp_path / "torn.npy").write_bytes((tmp_path / "plain.npy").read_bytes()[:20])
    (tmp_path / "torn.pkl").write_bytes(pickle.dumps(CONTENT)[:-9])
    for name in ("plain.npy", "torn.npy", "torn.pkl"):
        with pytest.raises(InputError, match=f"{name} was not read"):
            load_array_pickle(tmp_path / name)
