"""CRC-32C (Castagnoli polynomial, RFC 3720) of long byte strings, many bytes at a time.

A loop over bytes in Python takes minutes for the files of a data set. A cyclic redundancy check is linear, so
the bytes are cut into lanes that are taken forward side by side as one array, and the states of neighbors are
joined by the operator that stands for "so many zero bytes follow".
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_POLYNOMIAL = np.uint32(0x82F63B78)  # bits reversed
_ALL_ONES = np.uint32(0xFFFFFFFF)
_BITS = np.arange(32, dtype=np.uint32)
_LANE_BYTES = 256
"""Steps taken one after the other when there are many lanes; long enough to make joining them cheap."""


def _byte_table() -> Words:
    states = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = (states >> np.uint32(1)) ^ np.where(states & np.uint32(1), _POLYNOMIAL, np.uint32(0))
    return states


_TABLE = _byte_table()


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of some bytes; 0xE3069283 for b"123456789"."""
    content = np.frombuffer(data, np.uint8)
    lanes = 1 << max(len(content) // _LANE_BYTES, 1).bit_length() - 1
    steps = -(-max(len(content), 4) // lanes)
    # Zeros in front do not change a state of zero. The usual start of all ones equals inverting 4 bytes.
    padded = np.zeros(lanes * steps, np.uint8)
    start = len(padded) - len(content)
    padded[start:] = content
    if len(content) < 4:
        return _of_few(content)
    padded[start : start + 4] ^= 0xFF
    states = np.zeros(lanes, np.uint32)
    for column in np.ascontiguousarray(padded.reshape(lanes, steps).T):
        states = _TABLE[(states ^ column) & np.uint32(0xFF)] ^ (states >> np.uint32(8))
    return int(_joined(states, steps) ^ _ALL_ONES)


def masked_crc32c(data: bytes | memoryview) -> int:
    """The checksum as TFRecord files store it: turned, and moved by a constant."""
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _of_few(content: NDArray[np.uint8]) -> int:
    state = _ALL_ONES
    for byte in content:
        state = _TABLE[(state ^ byte) & np.uint32(0xFF)] ^ (state >> np.uint32(8))
    return int(state ^ _ALL_ONES)


def _joined(states: Words, lane_bytes: int) -> np.uint32:
    """The state after all lanes, of which there are a power of two."""
    operator = _zeros_operator(lane_bytes)
    while len(states) > 1:
        states = _apply(operator, states[::2]) ^ states[1::2]
        operator = _apply(operator, operator)
    return np.uint32(states[0])


def _zeros_operator(count: int) -> Words:
    """(32,) what each bit of a state becomes when ``count`` zero bytes follow."""
    bits = np.uint32(1) << _BITS
    power = _TABLE[bits & np.uint32(0xFF)] ^ (bits >> np.uint32(8))
    result = bits
    while count:
        if count & 1:
            result = _apply(power, result)
        power = _apply(power, power)
        count >>= 1
    return result


def _apply(operator: Words, states: Words) -> Words:
    """Applies a linear operator to each of (N,) states."""
    chosen = np.where(states[:, None] >> _BITS & np.uint32(1), operator, np.uint32(0))
    result: Words = np.bitwise_xor.reduce(chosen, axis=1)
    return result
