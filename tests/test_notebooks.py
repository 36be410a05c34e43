"""What every notebook must be: without outputs, and naming only what there is."""

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.helpers.notebooks import check_committed, code_cells
from tests.test_pipeline_registry import PIPELINES
from vidrep_pipelines.common.former_names import current_pipeline

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DATASETS = {dataset for pipeline in PIPELINES.values() for dataset in pipeline.datasets()} | {
    dataset
    for catalog in (ROOT / "conf/base").rglob("catalog.yml")
    for dataset in yaml.safe_load(catalog.read_text())
    if "{" not in dataset  # factories answer any name: of those, only what a pipeline has
}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def source(path: Path) -> ast.Module:
    """Its code, without the lines that only IPython understands."""
    text = "\n".join(cell.source for cell in code_cells(read(path)))
    return ast.parse("\n".join(line for line in text.splitlines() if not line.startswith("%")))


@every_notebook
def test_it_is_committed_without_outputs(path: Path) -> None:
    check_committed(path)


@every_notebook
def test_what_it_imports_of_this_project_is_there(path: Path) -> None:
    for node in ast.walk(source(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vidrep_pipelines"):
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@every_notebook
def test_the_datasets_that_it_loads_are_in_the_catalog(path: Path) -> None:
    """With a name in place of what a loop or a setting fills in."""
    loaded = []
    for node in ast.walk(source(path)):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) in ("catalog.load", "catalog.exists")):
            continue
        match node.args[0]:
            case ast.Constant(value=str(name)):
                loaded.append(re.escape(name))
            case ast.JoinedStr(values=parts):
                loaded.append(
                    "".join(re.escape(p.value) if isinstance(p, ast.Constant) else r"\w+" for p in parts)
                )
    parameters = {name.removeprefix("params:") for name in DATASETS if name.startswith("params:")}
    for pattern in loaded:
        name = pattern.replace("\\", "")
        if name.startswith("params:"):
            block = name.removeprefix("params:")
            assert any(block == known or block.startswith(f"{known}.") for known in parameters), name
        else:
            assert any(re.fullmatch(pattern, known) for known in DATASETS), name


@every_notebook
def test_the_pipelines_that_it_names_are_registered(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells)
    named = [name for found in re.findall(r"--pipelines ([\w,]+)", text) for name in found.split(",")]
    named += re.findall(r"`((?:eval|pretrain)_\w+)`", text)
    whole = [current_pipeline(name) for name in named if not name.endswith("_")]  # not what a loop completes
    assert [name for name in whole if name not in PIPELINES] == []
