import numpy as np
import pandas as pd
import pytest
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting import reconstruction
from vidrep_pipelines.reporting.reconstruction import (
    metric_table,
    rate_distortion,
    robot_chart,
    variant_chart,
)

NAN = float("nan")
SUMMARY = pd.DataFrame(
    [
        ("clamped", "all", "psnr", 25.0, 24.0, 26.0, 3),
        ("clamped", "all", "fvd", 90.0, NAN, NAN, 3),
        ("clamped", "kuka", "psnr", 24.0, NAN, NAN, 1),
        ("clamped", "kuka", "fvd", NAN, NAN, NAN, 1),
        ("clamped", "sawyer", "psnr", 26.0, 25.0, 27.0, 2),
        ("clamped", "sawyer", "fvd", 80.0, NAN, NAN, 2),
    ],
    columns=["pixels", "robot", "metric", "value", "low", "high", "videos"],
)
RUNS = pd.DataFrame(
    {
        "run": ["a", "b"],
        "label": ["small", "large"],
        "bits_per_frame": [160.0, 2304.0],
        "entropy_bits_per_frame": [120.0, 2000.0],
        "psnr": [21.0, 27.0],
        "lpips": [NAN, 0.2],
    }
)


def contrast(image: Image) -> float:
    return float(np.asarray(image.convert("L")).std())


def test_table_has_a_row_per_robot_and_a_column_per_metric() -> None:
    lines = metric_table(SUMMARY).splitlines()
    assert lines[0].split() == ["pixels", "robot", "videos", "psnr", "fvd"]
    assert "25 [24, 26]" in lines[1] and "90" in lines[1]
    assert [line.split()[1] for line in lines[1:]] == ["all", "kuka", "sawyer"]


def test_charts_show_every_metric() -> None:
    both, one = robot_chart(SUMMARY), robot_chart(SUMMARY[SUMMARY["metric"] == "psnr"])
    assert both.width > 1.8 * one.width and contrast(both) > 10


def test_rate_distortion_draws_the_metrics_that_runs_have() -> None:
    two, one = rate_distortion(RUNS), rate_distortion(RUNS.drop(columns="lpips"))
    assert two.width > 1.8 * one.width and contrast(one) > 10
    with pytest.raises(InputError, match="no run with one of"):
        rate_distortion(RUNS.drop(columns=["psnr", "lpips"]))


def test_runs_of_one_rate_have_an_axis_of_several_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    monkeypatch.setattr(reconstruction, "image_of", figures.append)
    rate_distortion(RUNS.assign(bits_per_frame=9216.0, entropy_bits_per_frame=8900.0))
    (axes,) = figures[0].axes[:1]
    low, high = axes.get_xlim()
    assert low < 8900 and high > 9216 and sum(low <= tick <= high for tick in axes.get_xticks()) >= 3


def test_configurations_below_one_another() -> None:
    variants = RUNS.assign(codebook_use=[0.5, 1.0], psnr_low=[20.0, 26.0], psnr_high=[22.5, 28.0])
    both = variant_chart(variants)
    assert both.width > variant_chart(variants.drop(columns="lpips")).width and contrast(both) > 5
    wider = variant_chart(variants.assign(psnr_low=[10.0, 26.0]))
    assert np.abs(np.asarray(wider, float) - np.asarray(both, float)).mean() > 0.1
    with pytest.raises(InputError, match="no configuration with one of"):
        variant_chart(variants[["label", "codebook_use", "bits_per_frame"]])
