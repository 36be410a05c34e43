"""What the report of a data folder is made of, read from files as runs leave them."""

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline.node import Node
from PIL import Image

from tests.helpers.html_page import Page
from tests.helpers.project import bootstrap
from vidrep_pipelines import folder_report
from vidrep_pipelines.common.atomic import ReadOnlyError
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset
from vidrep_pipelines.datasets.picture import Picture
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.datasets.tables import AtomicJson, AtomicParquet
from vidrep_pipelines.datasets.video_file import VideoFile
from vidrep_pipelines.folder_report import report_of_run, write_report
from vidrep_pipelines.gathering import gather, score_blocks, statistics
from vidrep_pipelines.headlines import headline_of
from vidrep_pipelines.ledger import RunLedger
from vidrep_pipelines.pipeline_registry import register_pipelines

SUMMARY = pd.DataFrame(
    [("J&F-Mean", "rsp", 41.2, 38.0, 44.0, 12), ("J&F-Mean", "random", 35.0, float("nan"), float("nan"), 12)],
    columns=["measure", "encoder", "value", "low", "high", "sequences"],
)
CLIPS = {
    "listed": 24,
    "kept": 20,
    "reasons": {"short": 3, "damaged": 1},
    "frames": {"total": 9, "min": 1.5},
    "x": {},
}
PLACES: dict[str, tuple[type[Any], str]] = {
    "davis.summary": (AtomicParquet, "08_reporting/davis/summary.parquet"),
    "davis.bars": (Picture, "08_reporting/davis/bars.png"),
    "davis.best_film": (VideoFile, "08_reporting/davis/best.mp4"),
    "rollout.successes": (AtomicParquet, "08_reporting/rollout/successes.parquet"),
    "rollout.films": (ResumableParts, "07_model_output/rollout/films"),
    "rsp.train_metrics": (AtomicJson, "08_reporting/rsp/train_metrics.json"),
    "rsp.train_log": (AtomicParquet, "08_reporting/rsp/train_log.parquet"),
    "rsp.loss_curves": (Picture, "08_reporting/rsp/loss_curves.png"),
    "rsp_checkpoint": (CheckpointDataset, "06_models/rsp/checkpoint"),
    "label_filter.report": (AtomicJson, "08_reporting/label_filter/report.json"),
    "contact_sheet": (Picture, "08_reporting/contact_sheet.png"),
}


@pytest.fixture(scope="module")
def nodes() -> list[Node]:
    return [node for pipeline in register_pipelines().values() for node in pipeline.nodes]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mine"


@pytest.fixture
def catalog(root: Path) -> DataCatalog:
    return DataCatalog({name: kind(filepath=str(root / place)) for name, (kind, place) in PLACES.items()})


@pytest.fixture
def full(root: Path, catalog: DataCatalog) -> DataCatalog:
    catalog.save("davis.summary", SUMMARY)
    catalog.save("davis.bars", Image.new("RGB", (30, 20)))
    (root / "08_reporting/davis/best.mp4").write_bytes(b"film")
    successes = pd.DataFrame([("trained", "all", 0.4, 0.3, 0.5, 50)])
    successes.columns = pd.Index(["condition", "task", "success", "low", "high", "episodes"])
    catalog.save("rollout.successes", successes)
    films = root / "07_model_output/rollout/films/trained"
    films.mkdir(parents=True)
    (films / "push.mp4").write_bytes(b"film")
    catalog.save("rsp.train_metrics", {"status": "resumed", "step": 8})
    catalog.save(
        "rsp.train_log", pd.DataFrame({"step": [1, 2], "time": [1.0, 3.0], "train/loss": [2.0, 1.0]})
    )
    catalog.save("label_filter.report", CLIPS)
    catalog.save("contact_sheet", Image.new("RGB", (8, 4)))
    Provenance(dataset="davis.summary", measured_on="12 clips").write_beside(
        root / "08_reporting/davis/summary.parquet"
    )
    return catalog


def test_everything_is_found_by_the_catalog(full: DataCatalog, nodes: list[Node], root: Path) -> None:
    report = gather(full, nodes)
    assert (report.folder, report.faults) == ("mine", ())
    davis, rollout = report.evaluations
    assert (davis.name, rollout.name) == ("davis", "rollout")
    assert davis.provenance is not None and davis.provenance.measured_on == "12 clips"
    assert [exhibit.file.name for exhibit in davis.exhibits] == ["bars.png", "best.mp4"]
    assert davis.exhibits[0].size == (30, 20)
    assert davis.exhibits[1].caption.startswith("davis best film: The best and the worst sequence")
    (score,) = rollout.blocks[0].scores
    assert (score.system, score.contender) == ("vpp_policy", "trained")
    assert [exhibit.caption for exhibit in rollout.exhibits] == ["trained/push"]
    (rsp,) = report.trainings
    assert (rsp.name, rsp.status) == ("rsp", "resumed")
    assert dict(rsp.numbers) == {"Updates": "8", "Time of training": "2 s"}
    assert [curve.values for curve in rsp.curves] == [(2.0, 1.0)]
    (clips,) = report.data
    assert clips.name == "label filter" and ("listed", "24") in clips.numbers
    assert [exhibit.file.name for exhibit in clips.exhibits] == ["contact_sheet.png"]


def test_a_training_that_goes_on_is_shown(catalog: DataCatalog, nodes: list[Node], root: Path) -> None:
    run = root / "06_models/rsp/run"
    run.mkdir(parents=True)
    (run / "train_log.jsonl").write_text(json.dumps({"step": 3, "train/loss": 1.0}) + "\n")
    pictures = root / "08_reporting/rsp/predictions"
    pictures.mkdir(parents=True)
    for step in (2, 10):
        Image.new("RGB", (4, 4)).save(pictures / f"step-{step:08d}.png")
    (rsp,) = gather(catalog, nodes).trainings
    assert rsp.status == "not finished" and rsp.provenance is None
    assert [exhibit.caption for exhibit in rsp.exhibits] == ["predictions after update 10"]


def test_a_broken_record_costs_itself_only(full: DataCatalog, nodes: list[Node], root: Path) -> None:
    reporting = root / "08_reporting"
    (reporting / "rollout/successes.parquet").write_bytes(b"PAR1")
    (reporting / "rsp/train_metrics.json").write_text("{")
    (reporting / "davis/summary.provenance.json").write_text("[")
    report = gather(full, nodes)
    assert [evaluation.name for evaluation in report.evaluations] == ["davis"]
    assert report.evaluations[0].provenance is None and report.trainings == ()
    assert len(report.data) == 1 and len(report.faults) == 3
    for name in ("rollout.successes: ", "rsp: ", "summary.provenance.json is damaged"):
        assert any(name in fault for fault in report.faults)


def test_a_table_of_another_shape_is_a_fault(full: DataCatalog, nodes: list[Node]) -> None:
    full.save("davis.summary", SUMMARY.drop(columns="encoder"))
    report = gather(full, nodes)
    assert [evaluation.name for evaluation in report.evaluations] == ["rollout"] and len(report.faults) == 1


def test_measures_of_one_system_are_a_block_each() -> None:
    table = pd.DataFrame({"robot": "all", "metric": ["psnr", "lpips"], "value": [26.0, 0.1], "videos": 18})
    name = "vqvae.reconstruction_summary"
    headline = headline_of(name)
    assert headline is not None
    blocks = score_blocks(headline, name, table)
    assert [block.measure for block in blocks] == ["psnr", "lpips"]
    assert {score.system for block in blocks for score in block.scores} == {"vqvae"}


def test_published_numbers_are_those_of_the_same_measure() -> None:
    headline = headline_of("davis.summary")
    assert headline is not None
    (block,) = score_blocks(headline, "davis.summary", SUMMARY)
    assert [(one.system, one.value) for one in block.published] == [
        ("RSP", 60.1),
        ("SiamMAE", 58.1),
        ("MAE", 53.5),
    ]


def test_statistics_are_numbers_and_counts() -> None:
    numbers, counts = statistics({**CLIPS, "many": list(range(9)), "few": [1, 2], "share": 0.123456})
    assert dict(numbers) == {
        "listed": "24", "kept": "20", "many": "9 entries", "few": "1, 2", "share": "0.1235",
        "frames total": "9", "frames min": "1.5",
    }  # fmt: skip
    assert counts == (("reasons", (("short", 3.0), ("damaged", 1.0))),)


def test_the_page_is_written_once_and_fast(full: DataCatalog, root: Path, project_root: Path) -> None:
    bootstrap()
    page = write_report(project_root, full)
    assert page == root / "08_reporting" / "report.html"
    parsed = Page(page.read_text())
    assert parsed.faults == [] and "41.2" in parsed.text
    written, begun = page.stat().st_mtime_ns, time.process_time()
    write_report(project_root, full)
    assert time.process_time() - begun < 1  # of this process alone: others may use the machine
    assert page.stat().st_mtime_ns == written


def test_a_fault_in_the_report_fails_no_run(
    full: DataCatalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise errors.pop()

    errors: list[Exception] = [ZeroDivisionError("odd"), ReadOnlyError("finished")]
    monkeypatch.setattr(folder_report, "write_report", fail)
    assert report_of_run(RunLedger(), full) is None and caplog.text == ""
    assert report_of_run(RunLedger(), full) is None and "odd" in caplog.text


def test_a_catalog_without_pictures_has_no_report() -> None:
    assert report_of_run(RunLedger(), DataCatalog()) is None
