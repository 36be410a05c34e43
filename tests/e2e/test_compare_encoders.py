"""``kedro run --pipelines compare_encoders_standalone``: one table, and what is done again."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from tests.helpers.carl import TINY_CARL
from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import merged, run_pipeline
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.encoder_comparison.table import EVALUATIONS

pytestmark = pytest.mark.slow  # six evaluations and their pictures

ENCODERS = ["random", "pixels", "timm_random"]
PARAMETERS: dict[str, Any] = merged(
    merged(TINY_CARL, TINY_EVALUATION),
    {
        "compare_encoders": {
            "reference": "random",
            "further": {"timm_random": {"model": "test_vit"}},
            "use": ["pixels", "random", "timm_random"],
            "phases_image_size": 32,
            "cost": {"image_size": 32, "frames": 2, "repeats": 2},
        },
        "pouring": {"world": {"clips": 6}, "world_validation": 0.5},
        "eval_probe": {"probes": ["knn", "linear"]},
        "phases_pouring": {"resamples": 100},
        "tracking": {"enabled": False},
    },
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the comparison."""
    data = tmp_path_factory.mktemp("compared")
    run_pipeline("compare_encoders_standalone", data, PARAMETERS)
    return data


def read(data: Path) -> pd.DataFrame:
    return pd.read_parquet(data / "08_reporting/compare_encoders/table.parquet")


def test_every_encoder_stands_in_every_evaluation_beside_floors(finished: Path) -> None:
    table = read(finished)
    names = [evaluation.name for evaluation in EVALUATIONS if evaluation.name != "clips, attentive"]
    assert list(dict.fromkeys(table["evaluation"])) == names
    for name, rows in table.groupby("evaluation"):
        assert rows["encoder"].tolist()[:3] == ENCODERS, name
        assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()
        assert rows["on_front"].any() and rows["floor"].all()
    others = set(table["encoder"]) - set(ENCODERS)
    assert others == {"still", "chance", "clock"}
    own = table[table["encoder"] == "random"]
    assert (own["difference"] == 0).all() and (own["verdict"] == "same").all()
    metrics = json.loads((finished / "08_reporting/compare_encoders/eval_metrics.json").read_text())
    assert metrics["cells_without_result"] == []


def test_costs_and_pictures(finished: Path) -> None:
    costs = read(finished).drop_duplicates("encoder").set_index("encoder")
    assert (costs.loc[ENCODERS, "milliseconds"] > 0).all()
    assert costs.loc["pixels", "parameters"] == 0 < costs.loc["random", "parameters"]
    assert costs["milliseconds"].isna().sum() == 3
    for name in ("chart.png", "pareto.png"):
        with Image.open(finished / "08_reporting/compare_encoders" / name) as image:
            low, high = image.convert("L").getextrema()
            assert min(image.size) > 300 and high - low > 100


def test_only_what_changed_is_done_again(finished: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = read(finished)
    with caplog.at_level(logging.INFO):
        changed = merged(PARAMETERS, {"compare_encoders": {"further": {"timm_random": {"seed": 1}}}})
        run_pipeline("compare_encoders_standalone", finished, changed)
    assert "davis propagation: 6 items, 4 done before, 2 done now, 0 failed" in caplog.text
    assert "encoder costs: 3 items, 2 done before, 1 done now, 0 failed" in caplog.text
    after = read(finished)
    kept = before["encoder"] != "timm_random"
    pd.testing.assert_frame_equal(before[kept], after[kept])
    assert (before.loc[~kept, "value"] != after.loc[~kept, "value"]).any()


def test_a_reference_that_is_not_there_is_refused(tmp_path: Path) -> None:
    parameters = merged(PARAMETERS, {"compare_encoders": {"reference": "rsp", "use": None}})
    with pytest.raises(ConfigurationError, match=r"compare_encoders\.reference is rsp, a checkpoint that"):
        run_pipeline(
            "compare_encoders_standalone",
            tmp_path,
            parameters,
            node_names=["compared_encoders.list_encoders"],
        )
