import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS
from vidrep_pipelines.reporting.video_io import access_picture, encoding_table


def summary(**changes: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "encoding": ["published", "train", "g4", "intra"],
            "profile": ["published", "train", "train", "train"],
            "keyframe_interval": [250, 25, 4, 1],
            "b_frames": [3, 0, 0, 0],
            "kilobytes": [1404.4, 530.0, 1038.0, 1507.0],
            "relative_bytes": [1.0, 1.3, 2.6, 3.7],
            "psnr": [39.5, 38.4, 39.4, 36.5],
            "encode_seconds": [1.0, 0.27, 0.27, 0.25],
            "sequential_ms": [0.24, 0.14, 0.19, 0.25],
            "decoded_frames": [84.9, 9.5, 5.2, 2.0],
            "decord_ms": [40.0, 10.0, 8.0, 7.0],
            "pyav_ms": [30.0, 6.0, 4.0, 3.0],
            "index_ms": [24.0, 2.5, 1.8, 1.1],
            "speedup": [1.7, 16.0, 22.2, 36.4],
        }
    )
    return frame.assign(**changes)


def pixels(picture: Image.Image, color: str) -> int:
    wanted = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(np.asarray(picture).astype(int) - wanted).max(axis=2) < 12).sum())


def test_table_is_aligned_markdown() -> None:
    lines = encoding_table(summary()).splitlines()
    assert len(lines) == 2 + 4
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == [
        *("published", "250", "3", "1,404", "1.00 x", "39.5", "1.00"),
        *("0.24", "84.9", "40.0", "30.0", "24.00", "1.7 x"),
    ]
    assert set(lines[1]) <= set("|-: ")


def test_table_leaves_unmeasured_cells_empty() -> None:
    line = encoding_table(summary(decord_ms=np.nan)).splitlines()[2]
    assert line.split("|")[10].strip() == ""


def test_picture_shows_every_reader() -> None:
    picture = access_picture(summary())
    assert all(pixels(picture, color) > 200 for color in (COLORS[0], COLORS[1], COLORS[3]))


def test_picture_leaves_out_readers_that_are_not_there() -> None:
    picture = access_picture(summary(decord_ms=np.nan))
    assert pixels(picture, COLORS[3]) == 0
    assert pixels(picture, COLORS[0]) > 200


def test_one_encoding_is_enough_for_a_picture_and_none_is_too_few() -> None:
    assert pixels(access_picture(summary().head(1)), COLORS[0]) > 20
    with pytest.raises(InputError, match="none was measured"):
        access_picture(summary().head(0))
