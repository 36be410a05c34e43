import io
import pickle
from itertools import pairwise

import pytest

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.pickle_bounds import check_pickle


def doubled(kind: type, times: int) -> object:
    value: object = kind()
    for _ in range(times):
        value = kind([value, value])
    return value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_honest_pickles_pass(protocol: int) -> None:
    shared = ["a label that many rows share", (1, 2.5, None, True)]
    value = [
        [{"rows": [(number, shared) for number in range(2000)]}, {1, 2}, frozenset("ab"), 10**20],
        shared,
    ]
    file = io.BytesIO(pickle.dumps(value, protocol) + b"rest")
    check_pickle(file)
    assert file.read() == b"rest"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [list, tuple])
def test_parts_used_twice_and_twice_again(kind: type, protocol: int) -> None:
    content = pickle.dumps(doubled(kind, 40), protocol)
    assert len(content) < 1000
    with within_limits(0.5, 8), pytest.raises(pickle.UnpicklingError, match="grow to more than 1000000"):
        check_pickle(io.BytesIO(content))


def test_lists_that_grow_after_they_were_used() -> None:
    lists: list[list[object]] = [[] for _ in range(40)]
    for inner, outer in pairwise(lists):
        outer.append(inner)
    for inner, outer in pairwise(lists):
        outer.append(inner)
    with pytest.raises(pickle.UnpicklingError, match="grow to more"):
        check_pickle(io.BytesIO(pickle.dumps(lists)))


def test_long_texts_used_often() -> None:
    with pytest.raises(pickle.UnpicklingError, match="grow to more"):
        check_pickle(io.BytesIO(pickle.dumps(["x" * 10_000] * 2000)))


def test_values_that_hold_themselves() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(pickle.UnpicklingError, match="holds itself"):
        check_pickle(io.BytesIO(pickle.dumps(endless)))


def test_deep_nesting() -> None:
    content = b"]" + b"]" * 3000 + b"a" * 3000 + b"."
    with pytest.raises(pickle.UnpicklingError, match="nested more than 100 deep"):
        check_pickle(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"\x80\x02]r\xff\xff\xff\x7f.",
            "kept after",
        ),  # the unpickler would make room for two billion values
        (b"]p2000000000\n.", "kept after"),
        (b"\x8b" + (1000).to_bytes(4, "little") + b"\xff" * 999 + b"\x7f.", "too many digits"),
        (b"a.", "damaged"),
        (b"(((a.", "damaged"),
        (b"h\x07.", "damaged"),
        (b"", "damaged"),
    ],
)
def test_instructions_that_make_no_sense(content: bytes, said: str) -> None:
    with within_limits(0.5, 8), pytest.raises(pickle.UnpicklingError, match=said):
        check_pickle(io.BytesIO(content))
