import io
import pickle
from itertools import pairwise

import pytest
import torch

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.pickle_bounds import check_pickle, check_saved_tensors


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


def test_what_lies_under_a_mark_that_is_taken_back_is_counted() -> None:
    content = b"(" + pickle.dumps(doubled(list, 40), 2)[2:-1] + b"(1."
    assert len(pickle.loads(content)) == 2
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


def saved(value: object, *, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_honest_tensors_pass(zipped: bool) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    value = {
        "a": base,
        "b": base.T,
        "c": base[1:, ::2],
        "d": torch.zeros(0, 3),
        "e": torch.nn.Parameter(base),
    }
    value |= {"f": torch.tensor(1), "g": torch.ones(1).expand(5), "step": 10**12}
    check_saved_tensors(io.BytesIO(saved(value, zipped=zipped)))


class Called:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [(bytearray, (1 << 36,)), (torch.UntypedStorage, (1 << 36,)), (torch.FloatStorage, (1 << 36,))],
)
def test_calls_for_room_are_refused(function: object, arguments: tuple[object, ...], zipped: bool) -> None:
    content = saved([Called(function, *arguments)], zipped=zipped)
    with within_limits(0.5, 8), pytest.raises(pickle.UnpicklingError, match=r"it asks .* for 68719476736"):
        check_saved_tensors(io.BytesIO(content))


def test_tensors_larger_than_their_memory_are_refused() -> None:
    content = saved(torch.zeros(7, 3), zipped=False)
    wrong = content.replace(b"K\x07K\x03\x86", b"K\xffK\x03\x86")
    assert wrong != content
    with pytest.raises(pickle.UnpicklingError, match="beyond its memory of 21 numbers"):
        check_saved_tensors(io.BytesIO(wrong))
    wrong = content.replace(b"K\x15N", b"J\xff\xff\xff\x7fN")
    assert wrong != content
    with pytest.raises(pickle.UnpicklingError, match="would have more than"):
        check_saved_tensors(io.BytesIO(wrong))
