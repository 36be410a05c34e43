"""Runs the project's notebooks on a data folder of the test's own."""

import base64
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:  # nbformat reads 39 grammars when it is imported, which takes five seconds
    from nbformat import NotebookNode


def code_cells(notebook: "NotebookNode") -> "list[NotebookNode]":
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_committed(path: Path) -> None:
    """Asserts that a notebook is whole and has no outputs."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in code_cells(notebook))


def executed(path: Path, data: Path) -> "list[NotebookNode]":
    """The code cells after a run in a kernel of their own, started where Jupyter starts it."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources={"metadata": {"path": path.parent}}
    )
    client.execute(env={**os.environ, "VIDREP_DATA": str(data), "KEDRO_DISABLE_TELEMETRY": "true"})
    return code_cells(notebook)


def check_runs(path: Path, data: Path, drawn: set[str]) -> "list[NotebookNode]":
    """Asserts that a notebook runs from top to bottom, draws what it should, and writes nothing.

    Args:
        path: The notebook.
        data: Data folder after the pipeline that it shows.
        drawn: Names of the cells that show a picture.

    Returns:
        The code cells, for what else they should show.
    """
    before = file_times(data)
    cells = executed(path, data)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {cell.id for cell in cells if pictures(cell)} == drawn
    for picture in (picture for cell in cells for picture in pictures(cell)):
        low, high = picture.convert("L").getextrema()
        assert high - low > 100  # something is drawn
    assert file_times(data) == before
    return cells


def pictures(cell: "NotebookNode") -> list[Image.Image]:
    """What a cell shows."""
    shown = [output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(content))) for content in shown]


def printed(cells: "list[NotebookNode]") -> str:
    """What cells print."""
    return "".join(output.get("text", "") for cell in cells for output in cell.outputs)


def file_times(folder: Path) -> dict[Path, int]:
    """Time of the last change of every file below a folder; there must be some."""
    found = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert found, f"{folder} is empty"
    return found
