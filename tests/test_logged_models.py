from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from tests.helpers.trained_models import publish_tiny
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset
from vidrep_pipelines.headlines import headline_of
from vidrep_pipelines.ledger import EvaluationFinding, Finding, TrainingFinding
from vidrep_pipelines.logged_models import published_models


def evaluation(dataset: str, rows: list[dict[str, Any]]) -> EvaluationFinding:
    headline = headline_of(dataset)
    assert headline is not None
    return EvaluationFinding(
        headline, pd.DataFrame(rows), Provenance(dataset=dataset, data_digest="1f"), True
    )


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> DataCatalog:
    folder = tmp_path_factory.mktemp("models")
    place = folder / "data/06_models/rsp/checkpoint"
    publish_tiny("rsp", place, folder / "run")
    absent = CheckpointDataset(filepath=(folder / "data/06_models/carl/checkpoint").as_posix())
    known = {"rsp_checkpoint": CheckpointDataset(filepath=place.as_posix()), "carl_checkpoint": absent}
    return DataCatalog({**known, "untracked_checkpoint": MemoryDataset("no model")})


PIPELINE = Pipeline(
    [
        Node(lambda _: None, "x", name, name=name)
        for name in ("rsp_checkpoint", "carl_checkpoint", "untracked_checkpoint", "rsp.original_checkpoint")
    ]
)
DAVIS = [
    {"measure": "J&F-Mean", "encoder": name, "value": value, "low": value, "high": value, "sequences": 2}
    for name, value in (("rsp", 41.2), ("random", 35.0))
]


def test_a_checkpoint_and_its_own_numbers(catalog: DataCatalog) -> None:
    metrics = {"status": "trained", "loss": 0.25, "last": {"kl": 2}}
    found: list[Finding] = [
        TrainingFinding(
            "rsp", metrics, Provenance(dataset="rsp.train_metrics", measured_on="12 clips"), True
        ),
        TrainingFinding("carl", metrics, Provenance(dataset="carl.train_metrics"), True),
        evaluation("davis.summary", DAVIS),
        evaluation("jhmdb.summary", [row | {"encoder": "carl"} for row in DAVIS]),
    ]
    (model,) = published_models(PIPELINE, catalog, found)
    assert (model.name, model.place) == ("rsp", "06_models/rsp/checkpoint")
    assert model.facts == {"step": "6", "passes": "2.0", "digest": "0123456789abcdef"}
    assert model.digest == catalog.load("rsp_checkpoint").digest
    training, davis = model.numbers
    assert training.values == {"training/loss": 0.25, "training/last.kl": 2.0} and training.data_digest
    assert (davis.data, davis.data_digest, davis.values) == ("davis", "1f", {"davis/J&F-Mean": 41.2})


@pytest.mark.parametrize(
    ("dataset", "rows", "expected"),
    [
        (
            "rsp.reconstruction_summary",
            [{"robot": "all", "metric": "psnr", "value": 30.0, "low": 29.0, "high": 31.0, "videos": 2}],
            {"reconstruction_summary/psnr": 30.0},
        ),
        (
            "rsp.reconstruction_summary",
            [{"robot": "sawyer", "metric": "psnr", "value": 30.0, "low": 29.0, "high": 31.0, "videos": 2}],
            None,
        ),
        ("davis.summary", DAVIS[1:], None),
    ],
    ids=["rows are measures", "not of the headline", "floor"],
)
def test_numbers_of_an_evaluation(
    dataset: str, rows: list[dict[str, Any]], expected: dict[str, float] | None, catalog: DataCatalog
) -> None:
    (model,) = published_models(PIPELINE, catalog, [evaluation(dataset, rows)])
    assert [numbers.values for numbers in model.numbers] == ([] if expected is None else [expected])


def test_the_digest_is_that_of_the_weights_where_none_was_kept(catalog: DataCatalog, tmp_path: Path) -> None:
    checkpoint = catalog.load("rsp_checkpoint")
    meta = checkpoint.directory / "meta.json"
    kept = meta.read_text()
    meta.write_text('{"system": "rsp", "step": 6}')
    try:
        (model,) = published_models(PIPELINE, catalog, [])
    finally:
        meta.write_text(kept)
    assert model.digest == replace(checkpoint).digest and "passes" not in model.facts
