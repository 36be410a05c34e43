import av
import numpy as np
import pytest

from vidrep_pipelines.data.video.picture_converter import picture_checksum


def frame(pixels, pixel_format="yuv420p"):
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)


def copy_of(original):
    """The same samples. Pixels converted again may differ: what follows a row takes part in its last ones."""
    copy = av.VideoFrame(original.width, original.height, original.format.name)
    for plane, source in zip(copy.planes, original.planes, strict=True):
        plane.update(bytes(source))
    return copy


PIXELS = np.random.default_rng(0).integers(0, 255, (50, 70, 3)).astype(np.uint8)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "gray", "gbrp", "yuv420p10le", "gray12le"])
def test_every_sample_counts(pixel_format):
    original = frame(PIXELS, pixel_format)
    checksum = picture_checksum(original)
    assert checksum == picture_checksum(copy_of(original))
    for number, plane in enumerate(original.planes):
        changed = copy_of(original)
        samples = np.frombuffer(changed.planes[number], np.uint8).reshape(-1, plane.line_size)
        last = plane.width * (2 if "le" in pixel_format else 1) - 1
        samples[plane.height - 1, last] ^= 1
        assert picture_checksum(changed) != checksum, number


def test_padding_does_not_count():
    one = frame(PIXELS)
    checksum = picture_checksum(one)
    for plane in one.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        if plane.line_size > plane.width:
            rows[:, plane.width :] ^= 255
    assert picture_checksum(one) == checksum


def test_size_and_format_count():
    flat = np.zeros((16, 64, 3), np.uint8)
    checksums = {picture_checksum(frame(flat.reshape(shape), "gray")) for shape in ((16, 64, 3), (64, 16, 3))}
    checksums.add(picture_checksum(frame(flat, "gbrp")))
    assert len(checksums) == 3
