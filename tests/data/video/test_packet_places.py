import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.data.video.test_transport_stream import PES_HEADER, VIDEO, piece
from vidrep_pipelines.data.video.errors import UnindexableVideoError
from vidrep_pipelines.data.video.packet_places import PacketPlaces
from vidrep_pipelines.data.video.transport_stream import TransportStream


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
