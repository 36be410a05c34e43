"""What a run says while it goes on: plain lines, one for every node."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.pipeline.node import Node

_PLAIN_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_IN_NODE = "in node "

_log = logging.getLogger(__name__)


class LoggingHook:
    """Plain log lines where nobody watches a terminal, and in the processes that a run starts."""

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Replaces Kedro's rich handler unless standard error is a terminal."""
        workers = Path(context.config_loader.conf_source).absolute() / "logging_workers.yml"
        if workers.is_file():  # read by spawned processes, which import the kedro command again
            os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(workers))
        root = logging.getLogger()
        for handler in [handler for handler in root.handlers if type(handler).__name__ == "RichHandler"]:
            if not sys.stderr.isatty():
                plain_handler = logging.StreamHandler()
                plain_handler.setFormatter(logging.Formatter(_PLAIN_FORMAT, datefmt="%H:%M:%S"))
                root.removeHandler(handler)
                root.addHandler(plain_handler)


class NodeHook:
    """One line for every node, and a note on every error that says in which node it was.

    Kedro's own three lines for each, and its advice after an error to begin at some node, are left out by
    ``conf/logging.yml``: what is done is not done again here, whatever the command begins with.
    """

    def __init__(self) -> None:
        self._begun, self._count = 0, 0

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Counts the nodes; with ``--only-missing-outputs`` nobody knows yet how many will run."""
        self._begun = 0
        self._count = 0 if run_params.get("only_missing_outputs") else len(pipeline.nodes)

    @hook_impl
    def before_node_run(self, node: "Node") -> None:
        """Says which node begins."""
        self._begun += 1
        number = f" {self._begun} of {self._count}" if self._begun <= self._count else ""
        _log.info("node%s: %s", number, node.name)

    @hook_impl
    def on_node_error(self, error: Exception, node: "Node") -> None:
        """Notes the node's name on the error."""
        error.add_note(f"{_IN_NODE}{node.name}")


def failed_node(error: BaseException) -> str | None:
    """The node that an error was raised in; none if it was before the first or between two."""
    for note in getattr(error, "__notes__", ()):
        if note.startswith(_IN_NODE):
            return str(note.removeprefix(_IN_NODE))
    return None
