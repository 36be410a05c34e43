"""What somebody sees who opens Kedro-Viz: every pipeline in its layers, and few boxes at first."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro_viz.api.rest.responses.pipelines import get_pipeline_response
from kedro_viz.api.rest.responses.utils import get_encoded_response
from kedro_viz.data_access import data_access_manager
from kedro_viz.server import populate_data
from scripts.build_viz import (
    fold_products,
    machine_paths,
    shown_at_first,
    with_own_layers,
    without_paths,
)

from tests.conftest import ROOT
from tests.helpers.project import bootstrap
from tests.test_pipeline_registry import LAYERS, PIPELINES

PUBLIC = {"sample_world", "tar_shards", "label_list", "dropped_clips", "contact_sheet"}
"""Products without a namespace that no other namespace reads: they are known by these names."""
MOST_AT_FIRST = 30
"""Boxes in a page: more would be too small to read."""
WIDE = {"compare_encoders": 50}
"""Pages that hold more: this one trains four systems and runs every evaluation of encoders."""

every_pipeline = pytest.mark.parametrize("name", PIPELINES)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataCatalog]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDREP_DATA", str(tmp_path_factory.mktemp("data")))
        bootstrap()
        with KedroSession.create(ROOT) as session:
            yield session.load_context().catalog


@pytest.fixture(scope="module")
def pages(catalog: DataCatalog) -> Iterator[dict[str, dict[str, Any]]]:
    """What Kedro-Viz's pages read, by pipeline."""
    data_access_manager.reset_fields()
    populate_data(data_access_manager, catalog, PIPELINES, {})
    yield {name: json.loads(get_encoded_response(get_pipeline_response(name))) for name in PIPELINES}
    data_access_manager.reset_fields()


def layer_of(catalog: DataCatalog, dataset: str) -> int | None:
    """The place of its layer; none for a parameter."""
    if dataset.startswith("params:"):
        return None
    found: Any = catalog.get(dataset)
    return LAYERS.index(found.metadata["kedro-viz"]["layer"])


@every_pipeline
def test_a_pipeline_has_layers(name: str, pages: dict[str, dict[str, Any]]) -> None:
    given = {node["layer"] for node in pages[name]["nodes"] if node.get("layer")}
    assert given and given <= set(pages[name]["layers"])  # the order is empty where layers form a circle


@every_pipeline
def test_nothing_is_made_of_a_later_layer(name: str, catalog: DataCatalog) -> None:
    """Then no choice of pipelines can make a circle of layers, for which Kedro-Viz shows none."""
    for node in PIPELINES[name].nodes:
        read = [
            place for place in (layer_of(catalog, dataset) for dataset in node.inputs) if place is not None
        ]
        made = [layer_of(catalog, dataset) for dataset in node.outputs]
        assert max(read, default=0) <= min(filter(None, made), default=len(LAYERS)), node.name


def test_what_one_namespace_makes_and_reads_is_in_it() -> None:
    nodes = {node.name: node for pipeline in PIPELINES.values() for node in pipeline.nodes}.values()
    makers = {dataset: node.namespace for node in nodes for dataset in node.outputs}
    readers: dict[str, set[str | None]] = {}
    for node in nodes:
        for dataset in node.inputs:
            readers.setdefault(dataset, set()).add(node.namespace)
    alone = {
        name for name, maker in makers.items() if "." not in name and readers.get(name, set()) <= {maker}
    }
    assert {name for name in alone if not name.endswith(("_checkpoint", "_checkpoints"))} == PUBLIC


@every_pipeline
def test_a_page_is_legible(name: str, pages: dict[str, dict[str, Any]]) -> None:
    page = fold_products(json.loads(json.dumps(pages[name])))
    at_first = shown_at_first(page)
    assert len(at_first) <= WIDE.get(name, MOST_AT_FIRST)
    # Nothing is lost: everything is somewhere in the tree, and edges end at boxes of the page.
    children = [child["id"] for branch in page["modular_pipelines"].values() for child in branch["children"]]
    known = {node["id"] for node in page["nodes"]}
    assert {node["id"] for node in page["nodes"] if node["type"] != "parameters"} <= {*children}
    assert {end for edge in page["edges"] for end in (edge["source"], edge["target"])} <= known


def test_layers_of_other_pipelines_are_left_out() -> None:
    page = {"nodes": [{"layer": "raw"}, {"layer": None}, {"type": "task"}], "layers": ["reporting", "raw"]}
    assert with_own_layers(page)["layers"] == ["raw"]


def test_what_nobody_reads_is_folded_into_its_namespace() -> None:
    page = {
        "nodes": [
            {"id": "1", "name": "train.log", "type": "data"},
            {"id": "2", "name": "model", "type": "data"},
            {"id": "3", "name": "train.scores", "type": "data"},
            {"id": "fit", "name": "fit", "type": "task"},
            {"id": "train", "name": "train", "type": "modularPipeline"},
        ],
        "edges": [
            *({"source": "train", "target": target} for target in "123"),
            *({"source": "fit", "target": target} for target in "123"),
            {"source": "3", "target": "compare"},
        ],
        "modular_pipelines": {
            "__root__": {
                "outputs": [],
                "children": [{"id": name, "type": "data"} for name in ("1", "2", "3", "train")],
            },
            "train": {"outputs": ["1", "2", "3"], "children": [{"id": "fit", "type": "task"}]},
        },
    }
    folded = fold_products(page)
    assert shown_at_first(folded) == ["2", "3", "train"]
    assert folded["modular_pipelines"]["train"]["outputs"] == ["2", "3"]
    assert {"id": "1", "type": "data"} in folded["modular_pipelines"]["train"]["children"]
    edges = [(edge["source"], edge["target"]) for edge in folded["edges"]]
    assert ("fit", "1") in edges and ("train", "1") not in edges and ("train", "2") in edges


def test_pages_tell_no_path_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDREP_DATA", "/scratch/me/data")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    names = machine_paths({"VIDREP_DATA": "/scratch/me/data", "VIDREP_VIDEOS": "/sets/k400/", "PATH": "/bin"})
    paths = ["/scratch/me/data/08/a.png", f"{ROOT}/src/a.py", "/sets/k400/x.mp4", "/home/me/y", "/home/mel/z"]
    page = json.dumps([*paths, str(ROOT)])
    shown = json.loads(without_paths(page, names))
    assert shown == ["data/08/a.png", "src/a.py", "$VIDREP_VIDEOS/x.mp4", "~/y", "/home/mel/z", "."]
