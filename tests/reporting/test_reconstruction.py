import numpy as np
import pandas as pd
import pytest
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.reconstruction import metric_table, rate_distortion, robot_chart

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
