from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.feature_cache import FeatureCache
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance
from vidrep_pipelines.evaluation.reconstruction.measurement import (
    ReconstructionMeasurement,
    ReconstructionReport,
)
from vidrep_pipelines.evaluation.reconstruction.networks import FeatureNetwork, MetricNetworks
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import peak_signal_to_noise_ratio

CLIPS = 7
TABLE = pd.DataFrame(
    {
        "id": [f"t{number // 2}_{number % 2}" for number in range(CLIPS)],
        "trajectory": [f"t{number // 2}" for number in range(CLIPS)],
        "robot": ["kuka"] * 4 + ["sawyer"] * 3,
    }
)


def clip_features(clips: Tensor) -> Tensor:
    return clips.mean((1, 3, 4))


def frame_features(frames: Tensor) -> Tensor:
    return frames.mean((2, 3))


def difference(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).abs().mean((1, 2, 3))


NETWORKS = MetricNetworks(
    difference, FeatureNetwork(clip_features, "clips"), FeatureNetwork(frame_features, "frames"), ("a line",)
)


def videos(frames: int = 9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(CLIPS, frames, 3, 12, 12, generator=generator)
    return real, real + 0.3 * torch.randn(real.shape, generator=generator)


def measure(
    *sizes: int,
    networks: MetricNetworks = NETWORKS,
    cache: FeatureCache | None = None,
    frames: int = 9,
    **options: object,
) -> ReconstructionReport:
    config = ReconstructionEvaluationConfig.model_validate({"resamples": 200, "frechet_clips": 2, **options})
    measurement = ReconstructionMeasurement(config, networks, cache)
    pieces = zip(*(video.split(list(sizes)) for video in videos(frames)), strict=True)
    start = 0
    for real, other in pieces:
        measurement.add(TABLE.iloc[start : start + len(real)], real, other)
        start += len(real)
    return measurement.report()


def test_batches_of_any_size_give_the_same(tmp_path: Path) -> None:
    whole, pieces = measure(CLIPS), measure(3, 1, 3)
    pd.testing.assert_frame_equal(whole.videos, pieces.videos)
    pd.testing.assert_frame_equal(whole.summary, pieces.summary)


def test_summary_overall_and_per_robot() -> None:
    report = measure(4, 3, pixel_range="as_published")
    real, other = videos()
    table = report.summary.set_index(["robot", "metric"])
    assert list(report.summary["robot"].unique()) == ["all", "kuka", "sawyer"]
    psnr = peak_signal_to_noise_ratio(real, other).mean(1)
    for robot, chosen in (("all", slice(None)), ("kuka", slice(4)), ("sawyer", slice(4, None))):
        row = table.loc[(robot, "psnr")]
        assert row["value"] == pytest.approx(float(psnr[chosen].mean()), abs=1e-4)
        assert row["low"] <= row["value"] <= row["high"]
        assert row["videos"] == len(psnr[chosen])
        lpips = table.loc[(robot, "lpips"), "value"]
        assert lpips == pytest.approx(float((real - other)[chosen].abs().mean()), abs=1e-5)
        for name, features in (("fvd", clip_features), ("fid", lambda x: frame_features(x.flatten(0, 1)))):
            expected = frechet_distance(*(features(x[chosen]).numpy() for x in (real, other)))
            assert table.loc[(robot, name), "value"] == pytest.approx(expected, rel=1e-5)
            assert np.isnan(table.loc[(robot, name), "low"])
    assert report.skipped == ("a line",)


def test_pixel_range_changes_the_result() -> None:
    values = [
        measure(CLIPS, pixel_range=pixel_range).summary["value"].iloc[0]
        for pixel_range in ("as_published", "clamped", "rounded")
    ]
    assert values[0] < values[1]
    assert values[1] != values[2]


def test_without_networks_there_are_psnr_and_ssim() -> None:
    report = measure(CLIPS, networks=MetricNetworks(skipped=("x", "y")))
    assert set(report.summary["metric"]) == {"psnr", "ssim"}
    assert report.skipped == ("x", "y")


def test_short_clips_have_no_video_distance() -> None:
    report = measure(3, 4, frames=8)
    assert set(report.summary["metric"]) == {"psnr", "ssim", "lpips", "fid"}
    assert "clips of 8 frames are too short" in report.skipped[-1]


def test_frechet_distances_of_few_clips_are_refused_with_a_line() -> None:
    report = measure(CLIPS, frechet_clips=CLIPS + 1)
    assert set(report.summary["metric"]) == {"psnr", "ssim", "lpips"}
    assert [line.split(" is left out: 7 clips are fewer")[0] for line in report.skipped[1:]] == ["fvd", "fid"]
    enough = measure(CLIPS, frechet_clips=4)  # of all robots together, and of one of the two
    distances = enough.summary[enough.summary["metric"] == "fvd"]
    assert list(distances["robot"]) == ["all", "kuka"] and enough.skipped == ("a line",)


def test_remarks_of_networks_reach_the_report() -> None:
    assert measure(CLIPS, networks=MetricNetworks(remarks=("unknown file",))).remarks == ("unknown file",)


def test_real_features_are_computed_once(tmp_path: Path) -> None:
    seen: list[int] = []

    def counting(clips: Tensor) -> Tensor:
        seen.append(len(clips))
        return clip_features(clips)

    networks = MetricNetworks(clips=FeatureNetwork(counting, "clips"))
    cache = FeatureCache(tmp_path, "content")
    first = measure(4, 3, networks=networks, cache=cache)
    assert sum(seen) == 2 * CLIPS
    second = measure(4, 3, networks=networks, cache=cache)
    assert sum(seen) == 3 * CLIPS
    pd.testing.assert_frame_equal(first.summary, second.summary)
    measure(CLIPS, networks=networks, cache=FeatureCache(tmp_path, "other content"))
    assert sum(seen) == 5 * CLIPS


def test_features_of_another_number_of_clips_are_refused(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "content")
    cache.save("clips", np.zeros((3, 3), np.float32))
    with pytest.raises(InputError, match="3 real samples"):
        measure(CLIPS, cache=cache)


def test_damaged_cache_is_named(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "content")
    cache.save("clips", np.zeros((3, 3), np.float32))
    next(tmp_path.iterdir()).write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        cache.load("clips")


def test_identical_frames_have_no_interval() -> None:
    measurement = ReconstructionMeasurement(ReconstructionEvaluationConfig(), MetricNetworks())
    real, _ = videos()
    measurement.add(TABLE, real, real)
    row = measurement.report().summary.set_index(["robot", "metric"]).loc[("all", "psnr")]
    assert row["value"] == float("inf")
    assert np.isnan(row["low"])


def test_bad_batches() -> None:
    measurement = ReconstructionMeasurement(ReconstructionEvaluationConfig(), NETWORKS)
    real, other = videos()
    with pytest.raises(InputError, match="no clips"):
        measurement.report()
    with pytest.raises(InputError, match="both must be"):
        measurement.add(TABLE, real, other[:, :5])
