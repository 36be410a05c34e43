import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.data.video.test_transport_stream import PES_HEADER, VIDEO, piece
from vidrep_pipelines.data.video.errors import UnindexableVideoError
from vidrep_pipelines.data.video.packet_survey import PacketPlaces, is_droppable, length_size
from vidrep_pipelines.data.video.transport_stream import TransportStream


def unit(kind, reference, size=4, payload=b"\x88\x99"):
    body = bytes([reference << 5 | kind]) + payload
    return len(body).to_bytes(size, "big") + body


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize(("kind", "reference", "droppable"), [(1, 0, True), (1, 2, False), (5, 3, False)])
def test_first_slice_decides(size, kind, reference, droppable):
    packet = unit(9, 0, size) + unit(6, 0, size) + unit(kind, reference, size) + unit(1, 1, size)
    assert is_droppable(packet, size) is droppable


def test_packets_without_slices_and_damaged_packets_are_kept():
    assert not is_droppable(unit(6, 0), 4)
    assert not is_droppable(b"\xff\xff\xff\xff\x06", 4)
    assert not is_droppable(b"", 4)


def test_length_size_is_in_the_set_up_bytes():
    assert length_size(b"\x01\x64\x00\x0a\xff\xe1\x00") == 4
    assert length_size(b"\x01\x64\x00\x0a\xfd\xe1\x00") == 2
    assert length_size(b"\x00\x00\x00\x01\x67\x64\x00\x0a") is None
    assert length_size(b"") is None


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
@pytest.mark.parametrize(("kind", "reference", "droppable"), [(1, 0, True), (1, 2, False), (5, 3, False)])
def test_first_slice_decides_between_start_codes(code, kind, reference, droppable):
    units = [b"\x09\xf0", b"\x06\x05\xff", bytes([reference << 5 | kind, 0x88]), b"\x21\x88"]
    assert is_droppable(b"".join(code + unit for unit in units), None) is droppable


def test_packets_without_start_codes_are_kept():
    for packet in (b"", b"\0\0\1", b"\1\x88\x99", b"\0\0\1\x09\xf0"):
        assert not is_droppable(packet, None)


def places(data, container="matroska,webm"):
    container = SimpleNamespace(format=SimpleNamespace(name=container))
    return PacketPlaces(Path("a.mkv"), container, SimpleNamespace(id=VIDEO), io.BytesIO(data))


def test_data_may_lie_behind_a_header():
    data = b"cluster" + b"block" + b"picture" + b"block" + b"pic"
    found = places(data)
    assert found.find(7, b"picture") == (12, 7)
    assert found.find(19, b"pic") == (24, 3)
    assert found.transport is None


@pytest.mark.parametrize("position", [None, -1, 5000, 13])
def test_what_is_not_there_cannot_be_addressed(position):
    with pytest.raises(UnindexableVideoError, match=r"a\.mkv: its packets cannot be addressed"):
        places(b"block" + b"picture").find(position, b"picture")


@pytest.mark.parametrize("before", [b"", b"time"])
def test_wrapped_packets_take_whole_pieces(before):
    first, second = bytes(range(250)), b"second picture"
    pieces = [
        piece(0, bytes(184), before=before),
        piece(VIDEO, PES_HEADER + first[:170], starts=True, before=before),
        piece(VIDEO, first[170:], before=before),
        piece(VIDEO, PES_HEADER + second, starts=True, before=before),
    ]
    data, distance = b"".join(pieces), 188 + len(before)
    found = places(data, "mpegts")
    assert found.find(distance, first) == (distance + len(before), distance + 188)
    assert found.transport == TransportStream(VIDEO, distance)
    offset, size = found.find(3 * distance, second)
    assert found.transport.unwrap(data[offset : offset + size]) == second


def test_two_packets_in_one_wrapping_cannot_be_addressed():
    data = piece(VIDEO, PES_HEADER + b"first" + b"second", starts=True) + piece(0, bytes(184))
    with pytest.raises(UnindexableVideoError, match="several of them in one"):
        places(data, "mpegts").find(0, b"first")


def test_a_wrapping_that_ends_too_early_cannot_be_addressed():
    data = piece(VIDEO, PES_HEADER + b"first", starts=True) + piece(0, bytes(184))
    with pytest.raises(UnindexableVideoError, match="ends within one"):
        places(data, "mpegts").find(0, b"first and more")
