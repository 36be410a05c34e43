"""TFRecord files and the sequence examples in them."""

import json

import pytest
from hypothesis import example, given

from tests.fuzz.damage import damaged
from tests.fuzz.files import written
from tests.fuzz.limits import ROUND, answer_within_limits
from tests.helpers.long_videos import framed, sequence_example
from vidrep_pipelines.data.sources.long_videos.pouring import list_records, record_frames, record_labels
from vidrep_pipelines.data.sources.long_videos.sequence_example import parse_sequence_example
from vidrep_pipelines.data.sources.long_videos.tfrecord import scan_records

pytestmark = pytest.mark.fuzz

RECORD = sequence_example("a", [b"\xff\xd8picture", b"\xff\xd8other"], [0, 1])
UNPACKED = sequence_example("name", [b"p"] * 3, [4, 3, 2], label=1, packed=False)


@ROUND
@given(damaged(framed(RECORD) + framed(b"") + framed(UNPACKED)))
@example(framed(b"\x0a\x02\x0a\x00"))
def test_records(content: bytes) -> None:
    with written(content, "pouring_train-0-of-1.tfrecord") as path:
        answer_within_limits(lambda: list(scan_records(path)))
        listed = path.with_suffix(".json")
        if answer_within_limits(lambda: list_records(path, {".json": listed})):
            json.loads(listed.read_text())


@ROUND
@given(damaged(RECORD, UNPACKED))
@example(b"\x0a\x08\x0a\x06\x0a\x01\xff\x12\x01\x0a")  # a name that is no text
@example(b"\x0a" + b"\xff" * 9 + b"\x7f")  # a length of more than 64 bits
def test_sequence_examples(content: bytes) -> None:
    record = answer_within_limits(lambda: parse_sequence_example(content))
    if record is not None:
        answer_within_limits(lambda: record_frames(record))
        answer_within_limits(lambda: record_labels(record, 2))
