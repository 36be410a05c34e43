from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.long_videos import framed, write_tfrecords
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.tfrecord import (
    CorruptRecordError,
    RecordPlace,
    crc32c,
    find_records,
    masked_crc32c,
    read_tfrecord,
    scan_records,
)


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
def test_long_ones_of_any_size(size: int) -> None:
    data = bytes(number * 7 % 251 for number in range(size))
    assert crc32c(memoryview(data)) == bit_by_bit(data)


def test_mask_of_tfrecords() -> None:
    assert masked_crc32c(b"") == 0xA282EAD8
    checksum = 0xE3069283
    turned = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    assert masked_crc32c(b"123456789") == (turned + 0xA282EAD8) % 2**32


PAYLOADS = [b"first record", b"", b"the third one", b"the last"]
HEAD, CHECKSUM = 12, 4


def changed(path: Path, position: int) -> Path:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    return path


def test_records_in_order(tmp_path: Path) -> None:
    path = write_tfrecords(tmp_path / "a.tfrecord", PAYLOADS)
    places, payloads = zip(*scan_records(path), strict=True)
    assert list(payloads) == PAYLOADS
    assert [place.number for place in places] == [0, 1, 2, 3]
    assert not any(place.error for place in places)
    assert [read_tfrecord(path, place) for place in places] == PAYLOADS


def test_damaged_payload_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = write_tfrecords(tmp_path / "a.tfrecord", PAYLOADS)
    changed(path, len(framed(PAYLOADS[0])) + len(framed(b"")) + HEAD + 2)
    found = list(scan_records(path))
    assert [payload for _, payload in found] == [PAYLOADS[0], b"", b"", PAYLOADS[3]]
    assert [bool(place.error) for place, _ in found] == [False, False, True, False]
    assert "a.tfrecord, record 2: the checksum (CRC-32C) of its payload" in found[2][0].error


@pytest.mark.parametrize("position", [0, 9], ids=["length", "checksum of the length"])
def test_damaged_length_ends_the_file(tmp_path: Path, position: int) -> None:
    path = write_tfrecords(tmp_path / "a.tfrecord", PAYLOADS)
    found = list(scan_records(changed(path, len(framed(PAYLOADS[0])) + position)))
    assert [payload for _, payload in found] == [PAYLOADS[0], b""]
    assert "record 1: nothing after it can be found, for the checksum" in found[-1][0].error


@given(st.data())
def test_cut_files_give_the_whole_records_before_the_cut(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.tfrecord"
    whole = b"".join(map(framed, PAYLOADS))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    found = list(scan_records(path))
    intact = [payload for place, payload in found if not place.error]
    assert intact == PAYLOADS[: len(intact)]
    assert len(found) - len(intact) <= 1
    assert all("the file ends inside" in place.error for place, _ in found if place.error)


def test_file_that_changed_since_it_was_listed(tmp_path: Path) -> None:
    path = write_tfrecords(tmp_path / "a.tfrecord", PAYLOADS)
    place = next(iter(scan_records(path)))[0]
    changed(path, HEAD)
    with pytest.raises(CorruptRecordError, match="record 0: its payload has changed"):
        read_tfrecord(path, place)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tfrecord cannot be read"):
        list(scan_records(tmp_path / "none.tfrecord"))
    with pytest.raises(InputError, match=r"none\.tfrecord cannot be read"):
        read_tfrecord(tmp_path / "none.tfrecord", RecordPlace(0, 12, 3))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
            "a Git-LFS pointer to a file of 9",
        ),
        (b"<!DOCTYPE html><html><body>Quota exceeded</body></html>", "a web page"),
        (b"\x1f\x8b\x08", r"compressed \(gzip\)"),
    ],
)
def test_what_lies_in_place_of_records_is_named(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.tfrecord"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.tfrecord holds no records: it is {what}.*Remedy: "):
        list(scan_records(path))


def test_places_are_found_without_the_payloads(tmp_path: Path) -> None:
    path = write_tfrecords(tmp_path / "a.tfrecord", PAYLOADS)
    assert list(find_records(path)) == [place for place, _ in scan_records(path)]
    data = path.read_bytes()
    path.write_bytes(data[:-6])
    assert list(find_records(path)) == [place for place, _ in scan_records(path)]
    assert "the file ends inside it" in list(find_records(path))[-1].error
    with pytest.raises(InputError, match="cannot be read"):
        list(find_records(tmp_path / "none.tfrecord"))
