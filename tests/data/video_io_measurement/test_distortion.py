import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.videos import write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video_io_measurement.distortion import IDENTICAL, luma, peak_signal_to_noise


def decoded(path: Path) -> list[Any]:
    with open_video(path) as opened:
        return list(HealthyFrames(opened))


@pytest.mark.parametrize("width", [64, 98])  # 98 is no multiple of the decoder's line length
def test_it_is_the_defined_ratio(width: int, tmp_path: Path) -> None:
    references = decoded(write_video(tmp_path / "a.mp4", 6, width, 48, options={"crf": "5"}))
    coarse = write_video(tmp_path / "b.mp4", 6, width, 48, options={"crf": "40"})
    planes = [
        np.stack([frame.to_ndarray()[:48, :width] for frame in f]) for f in (references, decoded(coarse))
    ]
    error = np.mean((planes[0].astype(float) - planes[1]) ** 2)
    assert peak_signal_to_noise(references, coarse) == pytest.approx(10 * math.log10(255**2 / error))
    assert luma(references[0]).shape == (48, width)


def test_finer_encodings_have_more(tmp_path: Path) -> None:
    references = decoded(write_video(tmp_path / "a.mp4", 6, options={"crf": "5"}))
    values = [
        peak_signal_to_noise(references, write_video(tmp_path / "b.mp4", 6, options={"crf": str(quality)}))
        for quality in (40, 30, 20)
    ]
    assert values == sorted(values) and values[0] < values[2] < IDENTICAL
    assert peak_signal_to_noise(references, tmp_path / "a.mp4") == IDENTICAL


def test_clips_of_another_length_are_refused(tmp_path: Path) -> None:
    references = decoded(write_video(tmp_path / "a.mp4", 6))
    with pytest.raises(InputError, match=r"b\.mp4 holds 4 frames, 6 were encoded"):
        peak_signal_to_noise(references, write_video(tmp_path / "b.mp4", 4))
