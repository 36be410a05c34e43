import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.videos import barcode_frames, flip_bytes, read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.decode import count_frames, read_frames
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice, MeasureVideoIoConfig
from vidrep_pipelines.data.video_io_measurement.encoding import (
    IDENTICAL,
    LOSSLESS_SUFFIX,
    encode_item,
    luma,
    peak_signal_to_noise,
    product_suffixes,
    suffix_of,
)


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


CONFIG = MeasureVideoIoConfig(
    max_frames=20,
    encodings=(
        EncodingChoice(name="published", profile="published"),
        EncodingChoice(name="g5", profile="train", keyframe_interval=5, b_frames=0),
    ),
)


def outputs(folder: Path) -> dict[str, Path]:
    return {suffix: folder / f"clip{suffix}" for suffix in product_suffixes(CONFIG)}


def test_every_encoding_holds_the_first_frames(tmp_path: Path) -> None:
    files = outputs(tmp_path)
    facts = encode_item((str(write_video(tmp_path / "a.mkv", 30, 96, 64)), 48, CONFIG), files)
    assert [facts[name] for name in ("width", "height", "frames")] == [72, 48, 20]
    for path in files.values():
        assert read_barcodes(read_frames(path, range(count_frames(path)))) == list(range(20))
    for choice in CONFIG.encodings:
        assert facts[f"{choice.name}.bytes"] == files[suffix_of(choice)].stat().st_size
        assert 20 < facts[f"{choice.name}.psnr"] < 60  # type: ignore[operator]
        assert facts[f"{choice.name}.encode_seconds"] > 0  # type: ignore[operator]


def test_the_keyframe_interval_is_as_asked(tmp_path: Path) -> None:
    files = outputs(tmp_path)
    encode_item((str(write_video(tmp_path / "a.mp4", 30)), 48, CONFIG), files)
    index = PacketIndex.build(files[suffix_of(CONFIG.encodings[1])])
    assert np.flatnonzero(index.keyframes).tolist() == [0, 5, 10, 15]
    assert not index.droppable.all()


def test_the_reference_is_lossless(tmp_path: Path) -> None:
    files = outputs(tmp_path)
    source = write_video(tmp_path / "a.mp4", 8, 64, 48)
    encode_item((str(source), 48, CONFIG), files)
    lossless = read_frames(files[LOSSLESS_SUFFIX], range(8))
    np.testing.assert_array_equal(lossless, read_frames(source, range(8)))


def test_rotated_videos_are_upright(tmp_path: Path) -> None:
    stored = np.ascontiguousarray(np.rot90(barcode_frames(6, 96, 64), -1, axes=(1, 2)))
    files = outputs(tmp_path)
    facts = encode_item((str(write_video(tmp_path / "a.mp4", stored, rotation=90)), 48, CONFIG), files)
    assert (facts["width"], facts["height"]) == (72, 48)
    assert read_barcodes(read_frames(files[LOSSLESS_SUFFIX], range(6))) == list(range(6))


def test_what_comes_before_a_damage_is_measured(tmp_path: Path) -> None:
    source = flip_bytes(write_video(tmp_path / "a.mp4", 30, options={"g": "4", "bf": "0"}), 0.4)
    facts = encode_item((str(source), 48, CONFIG), outputs(tmp_path))
    assert 2 <= int(facts["frames"]) < 20


def test_a_single_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideoError, match=r"a\.mp4: fewer than two"):
        encode_item((str(write_video(tmp_path / "a.mp4", 1)), 48, CONFIG), outputs(tmp_path))
