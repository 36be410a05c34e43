import io
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from tests.helpers.serving import PICTURE
from vidrep_pipelines.serving.msgpack_arrays import packed, unpacked
from vidrep_pipelines.serving.questions import RefusedError

import msgpack  # isort: skip

SIDE = 64
TYPES = ["bool", "int8", "uint8", "int32", "uint64", ">i4", "float16", "float32", "float64"]


@given(
    st.sampled_from(TYPES).flatmap(
        lambda name: arrays.arrays(name, arrays.array_shapes(min_dims=0, max_side=4))
    ),
    st.booleans(),
)
def test_arrays_come_back_in_both_wires(array: Any, bytes_keys: bool) -> None:
    back = unpacked(packed({"a": {"b": array}}, bytes_keys=bytes_keys), SIDE)["a"]["b"]
    assert back.dtype == array.dtype and back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_what_openpi_and_vla_eval_write_is_read() -> None:
    """Written here by hand, as their wires are described."""
    actions = np.arange(6, dtype="<f4").reshape(2, 3)
    fields = {"__ndarray__": True, "data": actions.tobytes(), "dtype": "<f4", "shape": [2, 3]}
    openpi = {name.encode(): value for name, value in fields.items()}
    scalar = {b"__npgeneric__": True, b"data": 0.5, b"dtype": "<f8"}
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, "PNG")
    png = {"__image__": True, "format": "png", "data": buffer.getvalue(), "shape": [8, 6, 3]}
    raw = {"__image__": True, "format": "raw", "data": PICTURE.tobytes(), "dtype": "|u1", "shape": [8, 6, 3]}
    sent = {
        "text": fields,
        "bytes": openpi,
        "scalar": scalar,
        "images": {"png": png, "raw": raw},
        "prompt": "é",
    }
    read = unpacked(msgpack.packb(sent), SIDE)
    np.testing.assert_array_equal(read["text"], actions)
    np.testing.assert_array_equal(read["bytes"], actions)
    np.testing.assert_array_equal(read["images"]["png"], PICTURE)
    np.testing.assert_array_equal(read["images"]["raw"], PICTURE)
    assert read["scalar"] == 0.5 and read["prompt"] == "é"


def test_what_is_written_has_the_keys_of_the_wire() -> None:
    array = np.zeros(2, np.float32)
    openpi = msgpack.unpackb(packed({"actions": array}, bytes_keys=True), strict_map_key=False)
    assert openpi["actions"] == {b"__ndarray__": True, b"data": bytes(8), b"dtype": "<f4", b"shape": [2]}
    other = msgpack.unpackb(packed({"actions": array, "number": np.float64(2)}, bytes_keys=False))
    assert other == {
        "actions": {"__ndarray__": True, "data": bytes(8), "dtype": "<f4", "shape": [2]},
        "number": 2.0,
    }


def array_map(**changed: Any) -> dict[str, Any]:
    return {"__ndarray__": True, "data": bytes(8), "dtype": "<f4", "shape": [2]} | changed


@pytest.mark.parametrize(
    ("tree", "status", "reason"),
    [
        ({"a": array_map(dtype="O", data=pickle.dumps([1]))}, 422, "only plain numbers"),
        ({"a": array_map(dtype="V8")}, 422, "only plain numbers"),
        ({"a": array_map(dtype="<c8")}, 422, "only plain numbers"),
        ({"a": array_map(dtype="<M8[s]", shape=[1])}, 422, "only plain numbers"),
        ({"a": array_map(dtype="f4,f4")}, 422, "type is unknown"),
        ({"a": array_map(dtype="(2,)f4")}, 422, "type"),
        ({"a": array_map(dtype=["f4"])}, 422, "type is unknown"),
        ({"a": array_map(dtype="no such type")}, 422, "type is unknown"),
        ({"a": array_map(shape=[3])}, 422, "announces 12 bytes, and 8"),
        ({"a": array_map(shape=[-1])}, 422, "shape"),
        ({"a": array_map(shape=[2**40, 2**40])}, 422, "shape"),
        ({"a": array_map(shape=[True, 2])}, 422, "shape"),
        ({"a": array_map(shape=[1] * 7)}, 422, "shape"),
        ({"a": array_map(data="text")}, 422, "no bytes"),
        ({"a": {b"__npgeneric__": True, b"data": "x", b"dtype": "<f8"}}, 422, "number is none"),
        ({"a": {b"__npgeneric__": True, b"data": 300, b"dtype": "u1"}}, 422, "does not fit"),
        ({"a": {"__image__": True, "format": "gif", "data": b""}}, 422, "no PNG, JPEG or raw"),
        ({"a": {"__image__": True, "format": "png", "data": b"?"}}, 422, "cannot be decoded"),
        ({b"\xff": 1}, 422, "key of the message is no text"),
        ([1], 422, "no map"),
        ({"a": msgpack.ExtType(5, b"")}, 422, "leaves to its users"),
        ({"a": msgpack.ExtType(5, b"more")}, 422, "within the bounds"),
        ({"a": msgpack.Timestamp(1)}, 422, "within the bounds"),
        ({"a": [[] for _ in range(2100)]}, 413, "lists and maps"),
        ({"a": [0] * 5000}, 422, "within the bounds"),
        ({"a": "x" * 70_000}, 422, "within the bounds"),
    ],
)
def test_what_is_not_plain_or_too_much_is_refused(tree: Any, status: int, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        unpacked(msgpack.packb(tree), SIDE)
    assert refused.value.status == status


def test_deep_nesting_is_refused() -> None:
    for depth in (20, 900, 200_000):
        with pytest.raises(RefusedError):
            unpacked(b"\x81\xa1a" + b"\x91" * depth + b"\xc0", SIDE)


@given(st.binary(max_size=300))
@example(b"\x81\xa1a\xdd\xff\xff\xff\xff")
@example(b"\x81\xa1a\xc6\xff\xff\xff\xff")
@example(b"")
@example(b"\xc1")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read = unpacked(data, SIDE)
    except RefusedError as refused:
        assert 400 <= refused.status < 500
    else:
        assert isinstance(read, dict)
