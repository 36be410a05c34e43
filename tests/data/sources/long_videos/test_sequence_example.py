import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.long_videos import feature, field, sequence_example, varint
from vidrep_pipelines.data.sources.long_videos.sequence_example import parse_example, parse_sequence_example
from vidrep_pipelines.data.sources.long_videos.tfrecord import CorruptRecordError

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)


@given(st.text(max_size=5), st.lists(st.binary(max_size=300), max_size=4), NUMBERS, st.booleans())
def test_round_trip(name: str, frames: list[bytes], labels: list[int], packed: bool) -> None:
    example = parse_sequence_example(sequence_example(name, frames, labels, label=-1, packed=packed))
    assert example.context == {"name": [name.encode()], "len": [len(frames)], "label": [-1]}
    assert example.lists["video"] == [[frame] for frame in frames]
    assert example.lists["frame_labels"] == [[label] for label in labels]


@given(NUMBERS)
def test_several_numbers_in_one_feature(numbers: list[int]) -> None:
    for packed in (True, False):
        entry = field(1, b"n") + field(2, feature(numbers, packed))
        assert parse_sequence_example(field(1, field(1, entry))).context == {"n": numbers}


def test_floating_point_and_unknown_fields_are_passed_over() -> None:
    floats = field(2, field(1, b"\x00\x00\x80\x3f"))
    fixed = varint(7 << 3 | 1) + bytes(8) + varint(9 << 3 | 5) + bytes(4)
    entry = field(1, b"f") + field(2, floats) + fixed
    assert parse_sequence_example(field(1, field(1, entry))).context == {"f": []}


@pytest.mark.parametrize(
    "payload",
    [
        b"\x0a\xff",
        b"\x0b",
        b"\x0a",
        field(1, b"\x08\x01"),
        field(1, field(1, field(1, b"\xff") + field(2, b""))),
    ],
    ids=["too short", "wire type", "no length", "number for a message", "name is no text"],
)
def test_other_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(CorruptRecordError, match=r"no tf\.train\.SequenceExample"):
        parse_sequence_example(payload)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    try:
        example = parse_sequence_example(payload)
    except CorruptRecordError:
        return
    assert isinstance(example.context, dict)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=6), NUMBERS)
def test_examples_have_floating_point_numbers_too(floats: list[float], numbers: list[int]) -> None:
    packed = struct.pack(f"<{len(floats)}f", *floats)
    values = {
        "f": field(2, field(1, packed)),
        "n": feature(numbers),
        "b": feature(b"x"),
        "other": feature(b"y"),
    }
    entries = b"".join(field(1, field(1, name.encode()) + field(2, value)) for name, value in values.items())
    features = parse_example(field(1, entries), {"f", "n", "b", "absent"})
    np.testing.assert_array_equal(features.pop("f"), np.array(floats, np.float32))
    assert features == {"n": numbers, "b": [b"x"]}


@given(st.binary(max_size=60))
def test_any_bytes_are_an_example_or_refused(payload: bytes) -> None:
    try:
        assert isinstance(parse_example(payload, {""}), dict)
    except CorruptRecordError:
        return
