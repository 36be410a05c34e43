import errno
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_image import FORMATS, ForeignImageError, opened_image
from vidrep_pipelines.common.open_files import TooManyOpenFilesError
from vidrep_pipelines.data.label_sequences.images import read_header
from vidrep_pipelines.evaluation.label_propagation.label_folder import LabelImageError, read_label_image


def encoded(kind: str, size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 10, 10)).save(buffer, kind)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def huge(side: int) -> bytes:
    """A picture of one color, some hundred kilobytes for gigabytes of pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    content = chunk(b"IDAT", zlib.compress(bytes(1 << 16)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + content + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_common_formats_are_opened(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(encoded(kind))
    for source in (encoded(kind), tmp_path / "a"):
        with opened_image(source) as image:
            assert np.asarray(image.convert("RGB")).shape == (6, 8, 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8001, 12_000, 60_000])
def test_pictures_of_any_size_are_not_decoded(side: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(huge(side))
    with within_limits(mebibytes=32):
        with pytest.raises(ForeignImageError), opened_image(path) as image:
            image.load()
        with pytest.raises(InputError, match=r"a\.png is no readable image"):
            read_header(path)
        with pytest.raises(LabelImageError, match=r"a\.png cannot be read as an image"):
            read_label_image(path)


def test_formats_that_start_other_programs_are_not_opened() -> None:
    with pytest.raises(ForeignImageError, match="cannot identify"), opened_image(encoded("EPS")):
        pass


@pytest.mark.parametrize("content", [b"", b"text", encoded("PNG")[:40], encoded("JPEG")[:-60]])
def test_damage_is_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(ForeignImageError), opened_image(content) as image:
        image.load()


def test_a_picture_is_not_to_blame_for_a_lack_of_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG"))

    def no_descriptor(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Image, "open", no_descriptor)
    with pytest.raises(TooManyOpenFilesError), opened_image(tmp_path / "a.png"):
        pass


def test_what_is_not_there_is_another(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), opened_image(tmp_path / "none.png"):
        pass
