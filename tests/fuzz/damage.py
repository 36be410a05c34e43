"""Damaged copies of a valid input, as faulty disks, cut transfers and malice leave them."""

from collections.abc import Sequence

from hypothesis import strategies as st

_NUMBERS = tuple(
    value.to_bytes(width, order, signed=value < 0)
    for width in (1, 2, 4, 8)
    for value in (0, 1, -1, 2 ** (8 * width - 1) - 1, -(2 ** (8 * width - 1)), 2 ** (8 * width - 2))
    for order in ("little", "big")
)
"""Sizes and offsets that parsers stumble over."""

_MOST_CHANGES = 6


def damaged(*valid: bytes) -> st.SearchStrategy[bytes]:
    """Draws one of the inputs with up to six changes; now and then bytes that are no such input at all."""
    changes = st.lists(_change(), min_size=1, max_size=_MOST_CHANGES)
    return st.one_of(
        st.builds(_changed, st.sampled_from(valid), changes),
        st.builds(_changed, st.sampled_from(valid), changes),
        st.builds(_changed, st.sampled_from(valid), changes),
        st.binary(max_size=256),
    )


Change = tuple[str, float, int, bytes]
"""What to do, at which share of the length, to how many bytes, with which bytes."""


def _change() -> st.SearchStrategy[Change]:
    content = st.one_of(st.sampled_from(_NUMBERS), st.binary(min_size=1, max_size=8))
    return st.tuples(
        st.sampled_from(("write", "flip", "insert", "remove", "repeat", "cut")),
        st.floats(0, 1, allow_nan=False),
        st.integers(1, 64),
        content,
    )


def _changed(valid: bytes, changes: Sequence[Change]) -> bytes:
    data = bytearray(valid)
    for action, share, length, content in changes:
        at = min(int(share * len(data)), max(len(data) - 1, 0))
        if action == "write":
            data[at : at + len(content)] = content
        elif action == "flip" and data:
            data[at] ^= 1 << (length % 8)
        elif action == "insert":
            data[at:at] = content
        elif action == "remove":
            del data[at : at + length]
        elif action == "repeat":
            data[at:at] = data[at : at + length]
        elif action == "cut":
            del data[at:]
    return bytes(data)
