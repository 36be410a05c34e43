"""The parsers of single packets, which are given whatever a container holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged
from tests.fuzz.limits import ROUND, within_limits
from tests.fuzz.video.samples import video
from vidrep_pipelines.data.video.packet_survey import is_droppable, length_size
from vidrep_pipelines.data.video.transport_stream import TransportStream, detect_distance

LENGTHS = b"\x00\x00\x00\x02\x09\xf0\x00\x00\x00\x04\x06\x05\xff\x80\x00\x00\x00\x03\x01\x88\x99"
START_CODES = b"\x00\x00\x00\x01\x09\xf0\x00\x00\x01\x06\x05\xff\x80\x00\x00\x01\x01\x88\x99"
CONFIGURATION = b"\x01\x64\x00\x0a\xff\xe1\x00\x17\x67\x64\x00\x0a"


@pytest.mark.fuzz
@ROUND
@given(damaged(LENGTHS, START_CODES), st.sampled_from([None, 1, 2, 3, 4]))
def test_h264_units(packet: bytes, size: int | None) -> None:
    with within_limits():
        assert is_droppable(packet, size) in (True, False)


@pytest.mark.fuzz
@ROUND
@given(damaged(CONFIGURATION))
def test_h264_configurations(extradata: bytes) -> None:
    with within_limits():
        assert length_size(extradata) in (None, 1, 2, 3, 4)


@pytest.mark.fuzz
@ROUND
@given(
    st.deferred(lambda: damaged(video(".ts")[564:])), st.sampled_from([188, 192, 204]), st.integers(0, 9999)
)
def test_transport_streams(data: bytes, distance: int, size: int) -> None:
    stream = TransportStream(256, distance)
    with within_limits():
        for read in (detect_distance, stream.unwrap, lambda data: stream.span(data, size)):
            try:
                read(data)
            except ValueError as error:  # what the builder of packet indices turns into the project's error
                assert str(error)
