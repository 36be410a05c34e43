import pytest

from vidrep_pipelines.data.video.h264_units import is_droppable, length_size


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
