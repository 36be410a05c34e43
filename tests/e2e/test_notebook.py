"""``notebooks/explore_catalog.ipynb`` runs from top to bottom on a finished run, and shows its pictures."""

import shutil
from pathlib import Path

from tests.helpers.notebooks import check_runs, executed, pictures, printed
from tests.helpers.project import ROOT, TINY, merged, run_pipeline

NOTEBOOK = ROOT / "notebooks/explore_catalog.ipynb"
TRUTH_PICTURES = {"overlays", "timeline"}
PICTURES = TRUTH_PICTURES | {"contact-sheet", "report", "pairs", "losses", "predictions", "attention-maps"}


def test_every_cell_runs_and_shows_what_it_should(finished_run: Path) -> None:
    check_runs(NOTEBOOK, finished_run, PICTURES)


def test_ground_truth_is_skipped_for_real_videos(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "03_primary/resized_videos", tmp_path / "videos")
    videos = merged(TINY, {"ingest": {"root": str(tmp_path / "videos")}})
    run_pipeline("pretrain_rsp", data, videos, node_names=["ingest.render_sample_world"])
    cells = executed(NOTEBOOK, data)
    assert "This run used real videos." in printed(cells)
    assert {cell.id for cell in cells if pictures(cell)} == PICTURES - TRUTH_PICTURES
