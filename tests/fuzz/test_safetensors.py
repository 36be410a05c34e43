"""The headers of safetensors files, with the attacks that the format was made against."""

import json
import struct
from typing import Any

import pytest
import torch
from hypothesis import example, given
from safetensors.torch import save

from tests.fuzz.damage import damaged
from tests.fuzz.files import written
from tests.fuzz.limits import ROUND, answer_within_limits
from vidrep_pipelines.models.shared.weight_file import read_weights

VALID = save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2, dtype=torch.int64)}, {"made": "here"})


def with_header(header: str | bytes, content: bytes = bytes(64), size: int | None = None) -> bytes:
    encoded = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(encoded) if size is None else size) + encoded + content


def tensors(**described: Any) -> str:
    return json.dumps(described)


def tensor(shape: list[int], start: int, end: int, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


ATTACKS = {
    "overlapping tensors": with_header(tensors(a=tensor([16], 0, 64), b=tensor([16], 0, 64))),
    "partly overlapping": with_header(tensors(a=tensor([10], 0, 40), b=tensor([10], 24, 64))),
    "many tensors of one memory": with_header(tensors(**{f"t{k}": tensor([16], 0, 64) for k in range(5000)})),
    "a hole": with_header(tensors(a=tensor([4], 0, 16), b=tensor([4], 48, 64))),
    "content that nobody owns": with_header(tensors(a=tensor([4], 0, 16))),
    "header larger than the file": with_header(tensors(a=tensor([16], 0, 64)), size=1 << 40),
    "header of the largest size": with_header("{}", size=(1 << 64) - 1),
    "header over a hundred megabytes": with_header(b"{" + b" " * 20, size=100_000_001),
    "the same name twice": with_header(
        f'{{"a": {json.dumps(tensor([8], 0, 32))}, "a": {json.dumps(tensor([8], 32, 64))}}}'
    ),
    "offsets backwards": with_header(tensors(a=tensor([16], 64, 0))),
    "offsets behind the end": with_header(tensors(a=tensor([32], 0, 128))),
    "negative offsets": with_header(tensors(a=tensor([16], -64, 0))),
    "a shape that does not fit": with_header(tensors(a=tensor([1000], 0, 64))),
    "a shape that overflows": with_header(tensors(a=tensor([1 << 32, 1 << 32, 4], 0, 64))),
    "a shape that overflows to the size": with_header(tensors(a=tensor([(1 << 62) + 4, 4], 0, 64))),
    "a negative shape": with_header(tensors(a=tensor([-4, -4], 0, 64))),
    "an unknown type": with_header(tensors(a=tensor([16], 0, 64, "F33"))),
    "no UTF-8": with_header(b'{"\xff\xfe": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}}'),
    "no JSON": with_header("[" * 1000),
    "deep JSON": with_header('{"__metadata__":' + '{"a":' * 5000 + "1" + "}" * 5001),
    "metadata that is no text": with_header('{"__metadata__": {"a": 1}}', b""),
    "a zip archive": b"PK\x03\x04" + bytes(60),
    "nothing": b"",
    "seven bytes": bytes(7),
    "an empty header": with_header(""),
    "a header of zeros": with_header(bytes(40)),
}
BLANKS = with_header("   " + tensors(a=tensor([16], 0, 64)))
"""Harmless."""


def test_the_valid_one_is_read() -> None:
    with written(VALID, "w.safetensors") as path:
        weights = read_weights(path)
    assert weights["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and weights["b"].tolist() == [0, 0]


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_attacks_are_refused(name: str) -> None:
    with written(ATTACKS[name], "w.safetensors") as path:
        assert answer_within_limits(lambda: read_weights(path)) is None


@pytest.mark.fuzz
@ROUND
@given(damaged(VALID, ATTACKS["overlapping tensors"], BLANKS))
@example(b"")
def test_headers(content: bytes) -> None:
    with written(content, "w.safetensors") as path:
        weights = answer_within_limits(lambda: read_weights(path))
        answer_within_limits(lambda: repr(weights))
