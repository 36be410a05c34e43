"""``notebooks/explore_catalog.ipynb`` runs from top to bottom on a finished run, and shows its pictures."""

import shutil
from pathlib import Path

from tests.helpers.notebooks import check_committed, executed, file_times, pictures, printed
from tests.helpers.project import ROOT, TINY, merged, run_pipeline

NOTEBOOK = ROOT / "notebooks/explore_catalog.ipynb"
TRUTH_PICTURES = {"overlays", "timeline"}
PICTURES = TRUTH_PICTURES | {"contact-sheet", "report", "pairs", "losses", "predictions", "attention-maps"}


def test_it_is_committed_without_outputs() -> None:
    check_committed(NOTEBOOK)


def test_every_cell_runs_and_shows_what_it_should(finished_run: Path) -> None:
    before = file_times(finished_run)
    cells = executed(NOTEBOOK, finished_run)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {cell.id for cell in cells if pictures(cell)} == PICTURES
    for picture in (picture for cell in cells for picture in pictures(cell)):
        low, high = picture.convert("L").getextrema()
        assert high - low > 100  # something is drawn
    assert file_times(finished_run) == before  # the notebook only reads


def test_ground_truth_is_skipped_for_real_videos(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "03_primary/resized_videos", tmp_path / "videos")
    videos = merged(TINY, {"ingest": {"root": str(tmp_path / "videos")}})
    run_pipeline("pretrain_rsp", data, videos, node_names=["ingest.render_sample_world"])
    cells = executed(NOTEBOOK, data)
    assert "This run used real videos." in printed(cells)
    assert {cell.id for cell in cells if pictures(cell)} == PICTURES - TRUTH_PICTURES
