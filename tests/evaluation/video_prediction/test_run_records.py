import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.evaluation.video_prediction.run_records import (
    FACTS_OF_RUNS,
    measures_of_run,
    seeds_table,
)

CELL = {"value": 2.0, "low": 1.0, "high": 3.0}


def test_all_numbers_of_a_run_have_names() -> None:
    summary = pd.DataFrame([{"robot": "all", "predictor": "model", "metric": "psnr_last", **CELL}])
    differences = pd.DataFrame([{"robot": "x", "metric": "psnr_last", "against": "first_frame", **CELL}])
    shares = pd.DataFrame([
        {"combination": "held_out", "predictor": who, "measure": "right_object", **CELL}
        for who in ("model", "codec")
    ])  # fmt: skip
    assert measures_of_run(summary, differences, shares) == {
        "all.model.psnr_last": 2.0,
        "x.psnr_last_above_first_frame": 2.0,
        "x.psnr_last_above_first_frame_low": 1.0,
        "counterfactual.held_out.right_object": 2.0,
    }
    assert "counterfactual.held_out.right_object" not in measures_of_run(summary, differences, shares[:0])


def test_runs_of_one_recipe_are_put_side_by_side() -> None:
    facts = dict.fromkeys(FACTS_OF_RUNS, "same")
    runs = pd.DataFrame([
        {**facts, "run": "a", "seed": 0, "psnr": 1.0},
        {**facts, "run": "b", "seed": 1, "psnr": 3.0},
        {**facts, "run": "c", "seed": 0, "psnr": 9.0, "recipe": "other", "right": 1.0},
    ])  # fmt: skip
    table = seeds_table(runs).set_index(["recipe", "measure"])
    both = table.loc[("same", "psnr")]
    assert (both["runs"], both["seeds"], both["mean"], both["lowest"], both["highest"]) == (2, "0+1", 2, 1, 3)
    assert both["deviation"] == pytest.approx(np.sqrt(2))
    assert table.loc[("other", "right"), "runs"] == 1 and ("same", "right") not in table.index
