"""What is noted of a run while it goes on, and the records that it leaves."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.datasets.tables import AtomicJson, AtomicParquet
from vidrep_pipelines.ledger import RunLedger, training_status

SEQUENCES = pd.DataFrame({"id": ["a", "b"], "digest": ["1", "2"]})


class Toy:
    """A training and an evaluation, kept on disk."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.value, self.status = 41.2, "trained"
        self.summary, self.metrics = (
            folder / "davis" / "summary.parquet",
            folder / "rsp" / "train_metrics.json",
        )
        self.ledger = RunLedger()
        context: Any = SimpleNamespace(project_path=project, env="cluster")
        self.ledger.after_context_created(context)
        spec = {"data_digest": "planned"}
        self.catalog = DataCatalog(
            {
                "params:davis": MemoryDataset(DavisConfig()),
                "params:ingest": MemoryDataset(SimpleNamespace(root="/data/k400")),
                "spec": MemoryDataset(spec),
                "sequences": MemoryDataset(SEQUENCES),
                "rsp.train_metrics": AtomicJson(filepath=self.metrics),
                "davis.summary": AtomicParquet(filepath=self.summary),
            }
        )
        self._pipeline = Pipeline(
            [
                Node(self._train, ["spec", "params:ingest"], "rsp.train_metrics", name="rsp.train"),
                Node(
                    self._score,
                    ["sequences", "params:davis", "rsp.train_metrics"],
                    "davis.summary",
                    name="davis.summarize",
                ),
            ]
        )

    def _train(self, *_: object) -> dict[str, Any]:
        return {"status": self.status, "step": 8, "last": {"train/loss": 0.5}}

    def _score(self, *_: object) -> pd.DataFrame:
        rows = [("J&F-Mean", "rsp", self.value, 38.0, 44.0, 2)]
        return pd.DataFrame(rows, columns=["measure", "encoder", "value", "low", "high", "sequences"])

    def run(self) -> RunLedger:
        manager = _create_hook_manager()
        _register_hooks(manager, (self.ledger,))
        manager.hook.before_pipeline_run(
            run_params={"pipeline_names": ["eval_davis"]}, pipeline=self._pipeline, catalog=self.catalog
        )
        SequentialRunner().run(self._pipeline, self.catalog, manager)
        return self.ledger


@pytest.fixture
def toy(tmp_path: Path, project_root: Path) -> Toy:
    return Toy(tmp_path, project_root)


def test_headlines_and_trainings_are_noted_and_recorded(toy: Toy) -> None:
    ledger = toy.run()
    (evaluation,), (training,) = ledger.evaluations, ledger.trainings
    assert (training.system, training.is_new, evaluation.is_new) == ("rsp", True, True)
    summary, metrics = Provenance.of(toy.summary), Provenance.of(toy.metrics)
    assert summary is not None and metrics is not None
    assert summary.measured_on == "2 clips of the sample world in DAVIS-2017's layout, not DAVIS-2017"
    assert summary.data_digest == digest_of(["a", "b"], ["1", "2"]) and not summary.is_benchmark
    assert (metrics.measured_on, metrics.data_digest) == ("the videos in /data/k400", "planned")
    assert (summary.environment, summary.pipelines) == ("cluster", ("eval_davis",))
    assert summary.commit.startswith("commit ") and summary.finished and summary.seconds is not None
    assert summary.result_digest and summary.peak_memory_gibibytes


def test_what_was_found_before_keeps_its_record(toy: Toy) -> None:
    toy.run()
    before = [file.read_bytes() for file in toy.summary.parents[1].rglob("*.provenance.json")]
    toy.status = "up to date"
    ledger = toy.run()
    assert ledger.is_up_to_date
    assert [file.read_bytes() for file in toy.summary.parents[1].rglob("*.provenance.json")] == before
    toy.value = 42.0
    ledger = toy.run()
    assert not ledger.is_up_to_date
    assert [file.read_bytes() for file in toy.summary.parents[1].rglob("*.provenance.json")] != before


def test_a_damaged_record_is_written_anew(toy: Toy) -> None:
    toy.run()
    Provenance.path_of(toy.summary).write_text("{")
    assert toy.run().evaluations[0].is_new
    assert Provenance.of(toy.summary) is not None


@pytest.mark.parametrize(
    ("davis", "words"),
    [
        ({"root": "/d", "split": "val", "world": {}}, "2 sequences in DAVIS-2017's layout in /d (list val)"),
        ({"world": {}}, "davis"),
    ],
)
def test_a_block_that_no_node_reads_says_what_it_can(toy: Toy, davis: dict[str, Any], words: str) -> None:
    """Kedro makes a configuration only of blocks that the selected nodes read."""
    toy.catalog["params:davis"] = MemoryDataset(davis)
    assert toy.run().evaluations[0].provenance.measured_on == words


def test_a_run_that_finds_nothing_is_not_up_to_date() -> None:
    assert not RunLedger().is_up_to_date


def test_a_fault_in_the_notes_costs_one_warning(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("vidrep_pipelines.ledger.data_digest", fail)
    with caplog.at_level(logging.WARNING):
        toy.run()
    assert toy.summary.is_file() and caplog.text.count("no room") == 1


def test_models_of_one_pipeline_are_up_to_date_together() -> None:
    assert training_status({"a": {"status": "up to date"}, "b": {"status": "up to date"}}) == "up to date"
    assert training_status({"a": {"status": "up to date"}, "b": {"status": "resumed"}}) == "trained"
    assert training_status({"status": "resumed"}) == "resumed"
