import pytest

from vidrep_pipelines.data.video.transport_stream import PIECE_BYTES, TransportStream, detect_distance

VIDEO, SOUND = 256, 257
PES_HEADER = b"\x00\x00\x01\xe0\x00\x00\x80\x80\x05" + b"\x21\x00\x01\x00\x01"


def piece(pid, payload, *, starts=False, before=b"", after=b""):
    """One piece: what does not fill it is preceded by a field of other data, as ISO 13818-1 requires."""
    room = PIECE_BYTES - 4 - len(payload)
    flags = 0x10 | (0x20 if room else 0)
    header = bytes([0x47, (0x40 if starts else 0) | pid >> 8, pid & 0xFF, flags])
    filling = bytes([room - 1]) + bytes(room - 1) if room else b""
    return before + header + filling + payload + after


@pytest.mark.parametrize(
    ("distance", "before", "after"), [(188, b"", b""), (192, b"time", b""), (204, b"", bytes(16))]
)
def test_packets_are_unwrapped(distance, before, after):
    picture = bytes(range(256)) * 2
    first, rest = picture[:170], picture[170:]
    pieces = [
        piece(VIDEO, PES_HEADER + first, starts=True, before=before, after=after),
        piece(SOUND, b"\x00\x00\x01\xc0" + bytes(180), starts=True, before=before, after=after),
        piece(VIDEO, rest[:184], before=before, after=after),
        piece(VIDEO, rest[184:], before=before, after=after),
    ]
    data = b"".join(pieces)[len(before) :]
    stream = TransportStream(VIDEO, distance)
    assert detect_distance(data) == distance
    assert stream.unwrap(data) == picture
    assert stream.span(data, len(picture)) == 3 * distance + PIECE_BYTES
    assert stream.span(data, 170) == PIECE_BYTES
    assert stream.span(data, 171) == 2 * distance + PIECE_BYTES
    assert stream.span(data, len(picture) + 1) is None
    assert TransportStream(SOUND, distance).unwrap(data) != picture


def test_other_bytes_are_no_transport_stream():
    with pytest.raises(ValueError, match="no pieces"):
        detect_distance(bytes(2000))
    with pytest.raises(ValueError, match="does not begin where it should"):
        TransportStream(VIDEO, 188).unwrap(bytes(188))
    with pytest.raises(ValueError, match="header"):
        TransportStream(VIDEO, 188).unwrap(piece(VIDEO, b"\x00\x00\x01\xe0", starts=True))


def test_a_field_that_promises_too_much_leaves_nothing():
    whole = bytearray(piece(VIDEO, b"payload"))
    whole[4] = 255
    assert TransportStream(VIDEO, 188).unwrap(bytes(whole)) == b""
