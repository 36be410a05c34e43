import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.sources.long_videos.crc32c import crc32c, masked_crc32c


def bit_by_bit(data: bytes) -> int:
    """The definition: division by the polynomial, lowest bit first."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
    ids=["empty", "check value", "zeros", "ones", "ascending"],
)
def test_published_values(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


@given(st.binary(max_size=1200))
def test_equals_the_definition(data: bytes) -> None:
    assert crc32c(data) == bit_by_bit(data)


@pytest.mark.parametrize("size", [255, 256, 511, 512, 513, 4095, 10_001])
def test_every_number_of_lanes(size: int) -> None:
    data = bytes(number * 7 % 251 for number in range(size))
    assert crc32c(memoryview(data)) == bit_by_bit(data)


def test_mask_of_tfrecords() -> None:
    assert masked_crc32c(b"") == 0xA282EAD8
    checksum = 0xE3069283
    turned = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    assert masked_crc32c(b"123456789") == (turned + 0xA282EAD8) % 2**32
