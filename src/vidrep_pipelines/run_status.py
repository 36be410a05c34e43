"""How every node last went, in the file from which Kedro-Viz shows status, durations and failures.

Kedro-Viz's own hook refuses to record runs with ``--pipelines``, forgets what earlier runs did, and stops its
clock before a node's outputs are saved, which is when a fan-out works. The file lies in the data folder that
it is about; ``make viz`` gives it to Kedro-Viz.
"""

import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import VidrepError

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline.node import Node

EVENTS = Path(".viz", "kedro_pipeline_events.json")
"""Where the events are below a data folder, and where Kedro-Viz looks for them below a project."""
_LONGEST_MESSAGE = 2000
_OF_RUNS = {"before_pipeline_run", "after_pipeline_run", "on_pipeline_error"}

Event = dict[str, Any]
_log = logging.getLogger(__name__)


class RunStatusHook:
    """Keeps the last events of every node and dataset, whichever pipeline they were of.

    A node's time is from its first input read to its last output saved. The file is written after every node,
    so that a killed run is seen as far as it came. A fault in it never costs a run.
    """

    def __init__(self) -> None:
        self._loader: Any = None
        self._catalog: CatalogProtocol[Any, Any] | None = None
        self._root = Path()
        self._known: dict[str, list[Event]] = {}
        self._run: list[Event] = []
        self._node: Node | None = None
        self._begun, self._unsaved = 0.0, set[str]()

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Remembers what knows the data folder."""
        self._loader = context.config_loader

    @hook_impl
    def before_pipeline_run(self, catalog: "CatalogProtocol[Any, Any]") -> None:
        """Takes over what earlier runs wrote."""
        self._catalog, self._node = catalog, None
        self._root = Path(str(self._loader["globals"]["data_root"]))
        self._known = by_node(read_events(self._root / EVENTS))
        self._run = [_event("before_pipeline_run")]

    @hook_impl
    def before_dataset_loaded(self, node: "Node") -> None:
        """Starts a node's clock with its first input."""
        self._begin(node)

    @hook_impl
    def before_node_run(self, node: "Node") -> None:
        """Starts a node's clock if it reads nothing."""
        self._begin(node)

    @hook_impl
    def after_node_run(self, node: "Node") -> None:
        """Notes the success of a node that saves nothing."""
        if not node.outputs:
            self._end(node)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: "Node") -> None:
        """Notes what was saved, and the node's success with its last output."""
        name = _identity(dataset_name)
        self._known[name] = [
            _event("after_dataset_saved", dataset=dataset_name, node_id=name, size=self._size(dataset_name))
        ]
        self._unsaved.discard(dataset_name)
        if not self._unsaved:
            self._end(node)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Notes the end of the run."""
        self._run.append(_event("after_pipeline_run"))
        self._write()

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Notes the failure, of the run and of the node in which it was."""
        text = str(error).replace(f"{self._root.absolute()}/", "").replace(f"{self._root}/", "")
        message = text[:_LONGEST_MESSAGE] or type(error).__name__
        if self._node is not None:
            name = _identity(self._node)
            self._known[name] = [
                self._after(self._node),
                _event("on_node_error", node_id=name, error=message),
            ]
            self._node = None
        self._run.append(_event("on_pipeline_error", error=message))
        self._write()

    def _begin(self, node: "Node") -> None:
        if node is not self._node:
            self._node, self._begun, self._unsaved = node, time.monotonic(), set(node.outputs)

    def _end(self, node: "Node") -> None:
        self._known[_identity(node)] = [self._after(node)]
        self._node = None
        self._write()

    def _after(self, node: "Node") -> Event:
        duration = round(time.monotonic() - self._begun, 3)
        return _event(
            "after_node_run", node=node.name, node_id=_identity(node), status="success", duration=duration
        )

    def _size(self, name: str) -> int:
        """Bytes of a file; 0 for a folder, which may hold millions, and for what is kept in memory."""
        dataset = None if self._catalog is None else self._catalog.get(name)
        place = None if dataset is None else dataset._describe().get("filepath")
        return Path(str(place)).stat().st_size if place is not None and Path(str(place)).is_file() else 0

    def _write(self) -> None:
        events = [*self._run, *(event for events in self._known.values() for event in events)]
        try:
            with atomic_file(self._root / EVENTS) as temporary:
                temporary.write_text(json.dumps(events), encoding="utf-8")
        except (OSError, VidrepError) as error:  # a folder that is only read is a good place for what is done
            _log.debug("The status of the run is not written: %s", error)


def read_events(path: Path) -> list[Event]:
    """The events in a file; none if there is no such file, or none that can be read."""
    try:
        events = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def by_node(events: list[Event]) -> dict[str, list[Event]]:
    """The events of nodes and datasets by their identity in Kedro-Viz; those of runs are left out."""
    known: dict[str, list[Event]] = {}
    for event in events:
        kind, name = event.get("event"), event.get("node_id")
        if isinstance(kind, str) and kind not in _OF_RUNS and isinstance(name, str):
            known.setdefault(name, []).append(event)
    return known


def _identity(thing: "Node | str") -> str:
    from kedro_viz.integrations.kedro.hooks_utils import hash_node  # noqa: PLC0415

    return str(hash_node(thing))


def _event(kind: str, **facts: Any) -> Event:
    return {"event": kind, "timestamp": datetime.now(tz=UTC).isoformat(), **facts}
