"""The status of nodes that Kedro-Viz shows, over several runs of several pipelines."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from kedro_viz.api.rest.responses.run_events import (
    RunStatusAPIResponse,
    transform_events_to_structured_format,
)
from kedro_viz.integrations.kedro.hooks_utils import hash_node

from vidrep_pipelines.run_status import EVENTS, RunStatusHook


class Fragile(AbstractDataset[Any, Any]):
    """Cannot be written."""

    def load(self) -> Any:
        raise AssertionError

    def save(self, data: Any) -> None:
        raise OSError(f"{data} does not fit")

    def _describe(self) -> dict[str, Any]:
        return {}


def node(function: Callable[[int], int], source: str, target: str) -> Node:
    return Node(function, inputs=source, outputs=target, name=f"make_{target}")


def run(root: Path, *nodes: Node, **datasets: Any) -> RunStatusAPIResponse:
    """Runs nodes as a session does; gives what Kedro-Viz makes of the file."""
    hook, manager = RunStatusHook(), _create_hook_manager()
    _register_hooks(manager, (hook,))
    catalog = DataCatalog({"start": MemoryDataset(1), **datasets})
    hook.after_context_created(SimpleNamespace(config_loader={"globals": {"data_root": str(root)}}))  # type: ignore[arg-type]
    hook.before_pipeline_run(catalog)
    try:
        SequentialRunner().run(Pipeline(nodes), catalog, hook_manager=manager)
    except Exception as error:
        hook.on_pipeline_error(error)
    else:
        hook.after_pipeline_run()
    return transform_events_to_structured_format(json.loads((root / EVENTS).read_text()))


def status(seen: RunStatusAPIResponse, one: Node) -> str:
    return seen.nodes[hash_node(one)].status.value


def refuse(number: int) -> int:
    raise ValueError(f"{number} is refused")


def test_each_node_has_its_status_and_its_time(tmp_path: Path) -> None:
    first, second = node(lambda number: number + 1, "start", "one"), node(refuse, "one", "two")
    seen = run(tmp_path, first, second)
    assert (status(seen, first), status(seen, second)) == ("success", "failed")
    failure = seen.nodes[hash_node(second)].error
    assert failure is not None and failure.message == "2 is refused"
    assert seen.pipeline.status.value == "failed" and seen.pipeline.duration > 0
    assert seen.datasets[hash_node("one")].name == "one"


def test_a_node_whose_output_cannot_be_saved_has_failed(tmp_path: Path) -> None:
    only = node(lambda number: number, "start", "one")
    seen = run(tmp_path, only, one=Fragile())
    assert status(seen, only) == "failed"
    assert "does not fit" in str(seen.nodes[hash_node(only)].error)


def test_saving_counts_to_the_time_of_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(100))
    monkeypatch.setattr("vidrep_pipelines.run_status.time.monotonic", lambda: float(next(seconds)))
    only = node(lambda number: number, "start", "one")
    seen = run(tmp_path, only)
    assert (
        seen.nodes[hash_node(only)].duration == 1.0
    )  # asked twice: at the first input and at the last output


def test_what_another_pipeline_did_stays_known(tmp_path: Path) -> None:
    first, second = node(refuse, "start", "one"), node(lambda number: number, "start", "two")
    run(tmp_path, first)
    seen = run(tmp_path, second)
    assert (status(seen, first), status(seen, second)) == ("failed", "success")
    assert seen.pipeline.status.value == "success"


def test_success_takes_the_place_of_failure(tmp_path: Path) -> None:
    fragile = node(lambda number: number, "start", "one")
    assert status(run(tmp_path, fragile, one=Fragile()), fragile) == "failed"
    seen = run(tmp_path, fragile)
    assert status(seen, fragile) == "success" and seen.nodes[hash_node(fragile)].error is None


def test_messages_name_files_below_the_data_folder_only(tmp_path: Path) -> None:
    def fail(_: int) -> int:
        raise ValueError(f"{tmp_path}/a.h5 is damaged")

    only = node(fail, "start", "one")
    failure = run(tmp_path, only).nodes[hash_node(only)].error
    assert failure is not None and failure.message == "a.h5 is damaged"


@pytest.mark.parametrize("content", ["", "{", "[1, {}]", '{"a": 1}', '[{"event": 3, "node_id": 4}]'])
def test_a_file_that_is_no_list_of_events_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / EVENTS).parent.mkdir()
    (tmp_path / EVENTS).write_text(content)
    only = node(lambda number: number, "start", "one")
    assert status(run(tmp_path, only), only) == "success"


def test_a_folder_that_cannot_be_written_to_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / ".viz").write_text("a file in the place of the folder")
    hook = RunStatusHook()
    hook.after_context_created(SimpleNamespace(config_loader={"globals": {"data_root": str(tmp_path)}}))  # type: ignore[arg-type]
    hook.before_pipeline_run(DataCatalog())
    hook.after_pipeline_run()
