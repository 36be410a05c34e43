import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.serving import PICTURE, asked
from vidrep_pipelines.serving.config import ServingBounds
from vidrep_pipelines.serving.questions import RefusedError, question_of

BOUNDS = ServingBounds(pictures=2, picture_side=64, state_numbers=4, instruction_letters=30)


def of_file(kind: str, pixels: Any = PICTURE, mode: str = "RGB", **options: Any) -> dict[str, str]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind.upper(), **options)
    return {"format": kind, "data": base64.b64encode(buffer.getvalue()).decode()}


def read(message: object) -> Any:
    return question_of(json.dumps(message).encode(), BOUNDS)


def test_a_request_is_read() -> None:
    question = read(asked(episode="first", step=7))
    np.testing.assert_array_equal(question.pictures["front"], PICTURE)
    np.testing.assert_array_equal(question.state, [0.5, -1.0])
    assert (question.instruction, question.time_stamp) == ("lift the red block", 12.5)
    assert (question.episode, question.step) == ("first", 7)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_png_is_read_as_it_is(mode: str) -> None:
    shown = read(asked(pictures={"front": of_file("png", mode=mode)})).pictures["front"]
    np.testing.assert_array_equal(shown, np.asarray(Image.fromarray(PICTURE).convert(mode).convert("RGB")))


def test_jpeg_is_read_nearly() -> None:
    flat = np.full((16, 16, 3), 100, np.uint8)
    shown = read(asked(pictures={"front": of_file("jpeg", flat, quality=95)})).pictures["front"]
    assert np.abs(shown.astype(int) - 100).max() <= 2


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"instruction": None}, 422, "instruction: Input should be a valid string"),
        ({"time_stamp": "soon"}, 422, "time_stamp"),
        ({"time_stamp": float("nan")}, 422, "finite|valid"),
        ({"state": [1.0, float("inf")]}, 422, "state"),
        ({"state": [1.0] * 5}, 413, "5 numbers; at most 4"),
        ({"instruction": "x" * 31}, 413, "longer than the 30 letters"),
        ({"pictures": {}}, 422, "no picture"),
        (
            {"pictures": {str(number): {"format": "raw", "data": ""} for number in range(3)}},
            413,
            "3 pictures",
        ),
        ({"pictures": {"front": {"format": "gif", "data": ""}}}, 422, "pictures.front.format"),
        ({"pictures": {"front": {"format": "png", "data": "?"}}}, 422, "no base64"),
        ({"pictures": {"front": {"format": "png", "data": "AAAA"}}}, 422, "cannot be decoded"),
        ({"pictures": {"front": {"format": "raw", "data": "AAAA"}}}, 422, "height and width"),
        (
            {"pictures": {"front": {"format": "raw", "data": "AAAA", "height": 2, "width": 1}}},
            422,
            "2 x 1 x 3 bytes are announced, and 3 were sent",
        ),
        (
            {"pictures": {"front": {"format": "raw", "data": "", "height": 65, "width": 1}}},
            413,
            "65 x 1 pixels; sides of at most 64",
        ),
        ({"pictures": {"front": of_file("png", np.zeros((65, 2, 3), np.uint8))}}, 413, "65 x 2 pixels"),
        ({"pictures": {"front": of_file("png") | {"format": "jpeg"}}}, 422, "it is PNG, not JPEG"),
        ({"step": -1}, 422, "step"),
        ({"unknown": 1}, 422, "unknown: Extra inputs"),
    ],
)
def test_what_is_wrong_or_too_much_is_refused_with_a_reason(
    changed: dict[str, Any], status: int, reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        read(asked(**changed))
    assert refused.value.status == status


def test_a_reason_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(RefusedError) as refused:
        read(asked(state=["secret"] * 100))
    assert "secret" not in refused.value.reason and "95 more" in refused.value.reason


@given(st.binary(max_size=200))
@example(b"[" * 10_000)
@example(b"\xff\xfe")
@example(b'{"pictures": ' + b'{"a":' * 500)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        question_of(body, BOUNDS)
    assert 400 <= refused.value.status < 500


@given(st.binary(max_size=300), st.sampled_from(["png", "jpeg"]), st.integers(0, 120))
def test_any_damaged_picture_is_refused(noise: bytes, kind: str, place: int) -> None:
    data = bytearray(base64.b64decode(of_file(kind)["data"]))
    data[place : place + len(noise)] = noise
    sent = {"format": kind, "data": base64.b64encode(bytes(data)).decode()}
    try:
        shown = read(asked(pictures={"front": sent})).pictures["front"]
    except RefusedError as refused:
        assert 400 <= refused.status < 500
    else:
        assert shown.dtype == np.uint8 and max(shown.shape[:2]) <= 64
