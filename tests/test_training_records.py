import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from vidrep_pipelines.training_records import (
    parameter_count,
    shown_columns,
    training_curves,
    training_numbers,
    working_seconds,
)

LOG = pd.DataFrame(
    {
        "step": np.arange(1, 1001),
        "time": 100.0 + np.arange(1000),
        "train/kl": np.where(np.arange(1000) % 2, np.nan, 1.0),
        "train/loss": np.linspace(4, 1, 1000),
        "system/peak_memory_gibibytes": 1.5,
        "speed/items_per_second": 20.0,
        "optimizer/learning_rate": 0.1,
    }
)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_curves_and_costs_of_a_log(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"train_log{suffix}"
    if suffix == ".parquet":
        LOG.to_parquet(path)
    else:
        rows = [
            {key: value for key, value in row.items() if not math.isnan(value)}
            for row in LOG.to_dict("records")
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 1001, "tra')
    curves, costs = training_curves(path)
    assert [curve.name for curve in curves] == ["train/loss", "train/kl"]
    assert len(curves[0].steps) == 240 and set(curves[1].values) == {1.0}
    assert curves[0].values[0] == pytest.approx(4, abs=0.01) and curves[0].steps[-1] > 990
    assert dict(costs) == {
        "Time of training": "17 min", "Items per second": "20", "Memory of training": "1.5 GiB at most",
    }  # fmt: skip


def test_a_log_without_rows_has_no_curves(tmp_path: Path) -> None:
    path = tmp_path / "train_log.jsonl"
    path.write_text("nonsense\n[]\n")
    assert training_curves(path) == ((), ())


def test_losses_come_first() -> None:
    names = ["step", "train/kl", "probe/davis", "optimizer/rate", "train/loss_prior", "train/loss"]
    assert shown_columns(names) == ["train/loss", "train/kl", "train/loss_prior", "probe/davis"]


def test_ends_of_intervals_get_no_chart_of_their_own() -> None:
    names = ["probe/a", "probe/a_low", "probe/a_high", "probe/b_low", "train/loss"]
    assert shown_columns(names) == ["train/loss", "probe/a", "probe/b_low"]


def test_pauses_are_no_work() -> None:
    assert working_seconds([0, 1, 2, 3, 5000, 5001]) == 4
    assert working_seconds([7]) == 0


def test_numbers_of_a_model(tmp_path: Path) -> None:
    save_file(
        {"a": np.zeros((3, 4), np.float32), "b": np.zeros(2, np.float32)}, tmp_path / "model.safetensors"
    )
    (tmp_path / "meta.json").write_text('{"digest": "1a", "weights_digest": "2b", "passes": 2.5}')
    assert dict(training_numbers({"step": 1200, "precision": "fp32"}, tmp_path)) == {
        "Updates": "1,200", "Precision": "fp32", "Passes over the data": "2.5", "Parameters": "14",
        "Digest of the run": "1a", "Digest of the weights": "2b",
    }  # fmt: skip
    assert training_numbers({}, tmp_path / "nowhere") == ()


@pytest.mark.parametrize("content", [b"", b"\x04\0\0\0\0\0\0\0[1]", b"\xff" * 64])
def test_a_file_that_is_no_model_has_no_parameters(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert parameter_count(tmp_path / "x") == 0
