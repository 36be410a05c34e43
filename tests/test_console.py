import logging
from collections.abc import Callable
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from vidrep_pipelines.console import NodeHook, failed_node


def run(fail: bool, caplog: pytest.LogCaptureFixture, **options: Any) -> Callable[[], list[str]]:
    """Runs two nodes as a Kedro session does; gives what was logged."""

    def second(_: int) -> int:
        if fail:
            raise ValueError("no")
        return 2

    pipeline = Pipeline([Node(lambda: 1, None, "one", name="a"), Node(second, "one", "two", name="b")])
    catalog, manager = DataCatalog(), _create_hook_manager()
    _register_hooks(manager, (NodeHook(),))
    manager.hook.before_pipeline_run(run_params=options, pipeline=pipeline, catalog=catalog)
    with caplog.at_level(logging.INFO, "vidrep_pipelines"):
        SequentialRunner().run(pipeline, catalog, manager)
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("vidrep")]


def test_one_line_for_every_node(caplog: pytest.LogCaptureFixture) -> None:
    assert run(False, caplog)() == ["node 1 of 2: a", "node 2 of 2: b"]


def test_nodes_are_not_counted_where_some_are_left_out_later(caplog: pytest.LogCaptureFixture) -> None:
    assert run(False, caplog, only_missing_outputs=True)() == ["node: a", "node: b"]


def test_an_error_knows_its_node(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="no") as caught:
        run(True, caplog)
    assert failed_node(caught.value) == "b"
    assert failed_node(ValueError("elsewhere")) is None
