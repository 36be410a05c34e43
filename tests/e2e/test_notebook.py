"""``notebooks/explore_catalog.ipynb`` runs from top to bottom on a finished run, and shows its pictures."""

import base64
import io
import os
import shutil
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from tests.helpers.project import ROOT, TINY, merged, run_pipeline

NOTEBOOK = ROOT / "notebooks/explore_catalog.ipynb"
TRUTH_PICTURES = {"overlays", "timeline"}
PICTURES = TRUTH_PICTURES | {"contact-sheet", "report", "pairs", "losses", "predictions", "attention-maps"}


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed(data: Path) -> list[NotebookNode]:
    """The code cells after a run in a kernel of their own, started where Jupyter starts it."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources={"metadata": {"path": NOTEBOOK.parent}}
    )
    client.execute(env={**os.environ, "VIDREP_DATA": str(data), "KEDRO_DISABLE_TELEMETRY": "true"})
    return code_cells(notebook)


def pictures(cell: NotebookNode) -> list[Image.Image]:
    shown = [output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(content))) for content in shown]


def printed(cells: list[NotebookNode]) -> str:
    return "".join(output.get("text", "") for cell in cells for output in cell.outputs)


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_it_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in code_cells(notebook))


def test_every_cell_runs_and_shows_what_it_should(finished_run: Path) -> None:
    before = times(finished_run)
    cells = executed(finished_run)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {cell.id for cell in cells if pictures(cell)} == PICTURES
    for picture in (picture for cell in cells for picture in pictures(cell)):
        low, high = picture.convert("L").getextrema()
        assert high - low > 100  # something is drawn
    assert times(finished_run) == before  # the notebook only reads


def test_ground_truth_is_skipped_for_real_videos(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "03_primary/resized_videos", tmp_path / "videos")
    videos = merged(TINY, {"ingest": {"root": str(tmp_path / "videos")}})
    run_pipeline("pretrain_rsp", data, videos, node_names=["ingest.render_sample_world"])
    cells = executed(data)
    assert "This run used real videos." in printed(cells)
    assert {cell.id for cell in cells if pictures(cell)} == PICTURES - TRUTH_PICTURES
