import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from scipy.io import savemat

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.mat_file import read_mat


@pytest.mark.parametrize("version", ["4", "5"])
@pytest.mark.parametrize("packed", [True, False])
def test_honest_files(version: Literal["4", "5"], packed: bool, tmp_path: Path) -> None:
    values = {"a": np.arange(12.0).reshape(3, 4), "text": "golf", "b": np.array([[1 + 2j]])}
    savemat(tmp_path / "a.mat", values, format=version, do_compression=packed and version == "5")
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat", "a"), values["a"])
    assert str(np.ravel(read_mat(tmp_path / "a.mat", "text"))[0]) == "golf"
    assert read_mat(tmp_path / "a.mat", "none") is None


def test_structures_and_cells(tmp_path: Path) -> None:
    cells = np.array([["a", np.eye(2)]], dtype=object)
    savemat(tmp_path / "a.mat", {"cells": cells, "record": {"x": 1, "y": {"z": [1, 2]}}})
    assert read_mat(tmp_path / "a.mat", "cells").shape == (1, 2)
    assert int(read_mat(tmp_path / "a.mat", "record")["x"][0, 0][0, 0]) == 1


def matrix(kind: int, shape: tuple[int, ...], content: bytes = b"") -> bytes:
    flags = struct.pack("<4I", 6, 8, kind, 0)
    sizes = struct.pack(f"<2I{len(shape)}i", 5, 4 * len(shape), *shape) + bytes(-4 * len(shape) % 8)
    name = struct.pack("<2I", 1 << 16 | 1, ord("a"))
    return struct.pack("<2I", 14, len(flags + sizes + name + content)) + flags + sizes + name + content


def compressed(content: bytes) -> bytes:
    packed = zlib.compress(content, 1)
    return struct.pack("<2I", 15, len(packed)) + packed


def element(content: bytes) -> bytes:
    return struct.pack("<2I", 9, len(content)) + content


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
BOMBS = {
    "cells": HEADER + matrix(1, (1 << 14, 1 << 14)),
    "text": HEADER + matrix(4, (1 << 14, 1 << 14), struct.pack("<2I", 16, 0)),
    "negative": HEADER + matrix(6, (-4, 4)),
    "version 4": struct.pack("<5i", 0, 1 << 14, 1 << 14, 0, 2) + b"a\x00",
    "packed": HEADER + compressed(bytes(20 << 20)),
    "packed many times": HEADER + 100 * compressed(element(bytes(15 << 20))),
    "packed within packed": HEADER + compressed(300 * compressed(element(bytes(10 << 20)))),
    "dimensions": HEADER + matrix(6, (1 << 30,) * (1 << 20)),
    "no room": HEADER + struct.pack("<2I", 14, 1 << 31),
    "no header": b"MATLAB" + bytes(200),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_larger_than_its_file_is_not_built(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(BOMBS[name])
    with within_limits(), pytest.raises((ValueError, struct.error)):
        read_mat(tmp_path / "a.mat", "a")
