"""Pickles of plain data, of arrays, of tensors, and files of weights."""

import io
import pickle
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged
from tests.fuzz.files import written
from tests.fuzz.limits import ROUND, answer_within_limits
from vidrep_pipelines.common.array_pickle import load_array_pickle
from vidrep_pipelines.common.restricted_pickle import load_plain_pickle
from vidrep_pipelines.data.sources.long_videos.published_index import load_tensor_pickle
from vidrep_pipelines.data.sources.tapvid import read_tapvid
from vidrep_pipelines.models.shared.weight_file import read_weights

pytestmark = pytest.mark.fuzz

ROWS = [(0, "abseiling/x y.mp4"), [1, {"a": [1.5, None, True]}, {2, 3}], "abseiling/x y.mp4"]
ARRAYS = {
    "a": np.arange(6, dtype="f4").reshape(2, 3),
    "b": np.array(["x", 1], dtype=object),
    "c": np.int64(3),
}
POINTS = {
    "bear": {
        "video": np.zeros((2, 3, 4, 3), np.uint8),
        "points": np.full((1, 2, 2), 0.5, "f4"),
        "occluded": np.array([[False, True]]),
    }
}
TENSORS = [{"label": torch.arange(4), "id": 1}, torch.zeros(2, 3).T]


def pickles(value: object) -> list[bytes]:
    return [pickle.dumps(value, protocol) for protocol in (0, 2, 4, 5)]


def saved(value: object, *, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def npy(value: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(value, dtype=object), allow_pickle=True)
    return buffer.getvalue()


WEIGHTS = {"model": {"a": torch.ones(2, 3), "b": torch.zeros(1)}, "epoch": 3}
INSTRUCTIONS = b"(1)]}~\x85\x86\x87\x8f\x90\x91\x94Naeustdl20\x88\x89K\x01q\x00h\x00h\x01r\x80\x02\x95."


@ROUND
@given(st.one_of(damaged(*pickles(ROWS)), st.lists(st.sampled_from(INSTRUCTIONS), max_size=60).map(bytes)))
@example(b"\x80\x04]\x94" + b"2h\x00ah\x00" * 3 + b".")
def test_plain_pickles(content: bytes) -> None:
    with written(content, "rows.pkl") as path:
        value = answer_within_limits(lambda: load_plain_pickle(path))
        answer_within_limits(lambda: repr(value))


@ROUND
@given(damaged(*pickles(ARRAYS), npy(ARRAYS), npy([ARRAYS, 1])))
def test_array_pickles(content: bytes) -> None:
    with written(content, "arrays.npy") as path:
        value = answer_within_limits(lambda: load_array_pickle(path))
        answer_within_limits(lambda: repr(value))


@ROUND
@given(damaged(*pickles(POINTS), *pickles([POINTS["bear"]])))
def test_videos_with_points(content: bytes) -> None:
    with written(content, "tapvid_davis.pkl") as path, TemporaryDirectory() as folder:
        answer_within_limits(lambda: read_tapvid(path, {".h5": Path(folder) / "videos.h5"}))


@ROUND
@given(damaged(*pickles(TENSORS)))
def test_tensor_pickles(content: bytes) -> None:
    with written(content, "train.pkl") as path:
        value = answer_within_limits(lambda: load_tensor_pickle(path))
        answer_within_limits(lambda: repr(value))


@ROUND
@given(damaged(saved(WEIGHTS, zipped=True), saved(WEIGHTS, zipped=False)))
@example(b"\x80\x02}q\x00(X\x10\x80\x02\x8a" + bytes(100))  # a text of two gigabytes
@example(b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 2) + b"PK\x05\x06" + bytes(18))  # a zip of two disks
def test_weights(content: bytes) -> None:
    with written(content, "w.pth") as path:
        answer_within_limits(lambda: read_weights(path))
