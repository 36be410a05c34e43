"""``kedro run --pipelines eval_davis_systems``: every system is trained and its encoder compared."""

import json
from pathlib import Path

import pytest

from tests.helpers.carl import TINY_CARL
from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import merged, run_pipeline
from tests.helpers.vqvae import TINY_VQVAE

PARAMETERS = merged(
    merged(merged(TINY_VQVAE, TINY_CARL), TINY_EVALUATION),
    {"encoders": {"use": None}, "tracking": {"enabled": False}},
)


@pytest.mark.slow
def test_encoders_of_all_systems_stand_side_by_side(tmp_path: Path) -> None:
    run_pipeline("eval_davis_systems", tmp_path, PARAMETERS)
    metrics = json.loads((tmp_path / "08_reporting/davis/eval_metrics.json").read_text())
    assert list(metrics["encoders"]) == ["rsp", "carl", "vqvae", "random", "pixels"]
    assert metrics["encoders_without_result"] == []
    values = [scores["J_and_F-Mean"] for scores in metrics["encoders"].values()]
    assert len(set(values)) == len(values)
