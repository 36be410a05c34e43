"""What docs/architecture.md shows and tells is what the code does, so that the page cannot go stale."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from tests.architecture.packages import (
    ENTRANCE,
    SOURCE,
    SYSTEM,
    arrows,
    imports_between_packages,
    reachable,
)
from tests.helpers.project import bootstrap
from vidrep_pipelines.pipeline_registry import register_pipelines

PAGE = SOURCE.parents[1] / "docs" / "architecture.md"
NAMES = {"top": ENTRANCE, "system": SYSTEM, "layers": "models/layers", "shared": "models/shared"}
"""Packages whose node in the picture has another name."""
TABLE_NAMES = {"entrance": ENTRANCE, "`compat.py`": "compat"}
"""Packages that are no folders, as they stand in the table."""


class Step(NamedTuple):
    """A row of the walk from clip to report."""

    node: str
    what: str
    dataset: str
    place: str
    module: str


def section(heading: str) -> str:
    """The text below a heading of second rank."""
    return PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text: str, columns: int) -> list[list[str]]:
    """The rows of the tables with so many columns, without their headings."""
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in row] for row in cells if len(row) == columns]
    return [row for number, row in enumerate(table) if not _is_heading(table, number)]


def _is_heading(table: list[list[str]], number: int) -> bool:
    return any("---" in row[0] for row in table[number : number + 2])


def drawn_arrows() -> list[tuple[str, str]]:
    pairs = re.findall(r"^  (\w+) --> (\w+)$", section("Who imports whom"), flags=re.MULTILINE)
    return [(NAMES.get(one, one), NAMES.get(other, other)) for one, other in pairs]


def listed_imports() -> dict[str, set[str]]:
    """The table of packages: what each may import, as it says there."""
    return {
        TABLE_NAMES.get(package, package.strip("`/")): set(re.findall(r"`([^`]+)`", imports))
        for package, _, imports in rows(section("Folders"), 3)
    }


def steps() -> list[Step]:
    walk = rows(section("From clip to report"), 5)
    return [Step(*(cell.strip("`") for cell in row)) for row in walk]


every_step = pytest.mark.parametrize("step", steps(), ids=lambda step: step.node)


@cache
def real_imports() -> dict[str, set[str]]:
    return imports_between_packages()


def test_packages_import_one_another_in_no_circle() -> None:
    assert [package for package in real_imports() if package in reachable(real_imports(), package)] == []


def test_arrows_of_the_picture_are_the_imports_of_the_code() -> None:
    drawn = drawn_arrows()
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == arrows(real_imports())


def test_table_lists_the_imports_of_the_code() -> None:
    imports = {package: others for package, others in real_imports().items() if package != "models"}
    assert listed_imports() == imports


def test_every_folder_is_in_a_table() -> None:
    folders = {
        path.relative_to(SOURCE).as_posix()
        for path in [*SOURCE.glob("*/__init__.py"), *SOURCE.glob("*/*/__init__.py")]
        for path in [path.parent]
    }
    rooms = {folder.strip("`/") for folder, _ in rows(section("Folders"), 2)}
    packages = set(listed_imports()) - {ENTRANCE, "compat", SYSTEM}
    assert rooms | packages | {"models"} == folders


@cache
def walked() -> Pipeline:
    return register_pipelines()["eval_davis"]


@every_step
def test_step_of_the_walk_is_a_node_that_makes_what_the_page_says(step: Step) -> None:
    node = next(node for node in walked().nodes if node.name == step.node)
    assert step.dataset in node.outputs
    assert (SOURCE / step.module).is_file()


def test_walk_follows_the_order_of_the_pipeline() -> None:
    layers = walked().grouped_nodes
    depth = {node.name: number for number, layer in enumerate(layers) for node in layer}
    first, last = steps()[0], steps()[-1]
    assert depth[first.node] == 0
    assert depth[last.node] == max(depth[step.node] for step in steps())


def test_datasets_of_the_walk_are_where_the_page_says(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path))
    bootstrap()
    with KedroSession.create(project_root) as session:
        catalog: DataCatalog = session.load_context().catalog
    places = {step.dataset: Path(catalog.get(step.dataset)._describe()["filepath"]) for step in steps()}
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in places.items()} == {
        step.dataset: step.place for step in steps()
    }
