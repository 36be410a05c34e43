"""What a run has found so far, and where that comes from: for its last lines, for MLflow, for the report."""

import logging
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from vidrep_pipelines.common.atomic import ReadOnlyError
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.headlines import Headline, headline_of, measured_count
from vidrep_pipelines.pipelines.data_in_words import data_in_words, is_published_benchmark
from vidrep_pipelines.run_facts import RunFacts, data_digest, names_of_data, used_device
from vidrep_pipelines.runtime_parameters import PARAMETER_PREFIX

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline.node import Node

TRAIN_METRICS = ".train_metrics"
UP_TO_DATE = "up to date"
_HOW_IT_WENT = frozenset({"status", "resumed_from"})
_TRAINING_DATA = ("pouring", "penn_action", "finegym", "robonet", "dmc", "robot_episodes", "ingest")
"""Blocks of parameters that say where training data come from; the first one that a pipeline reads counts."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EvaluationFinding:
    """The headline of an evaluation.

    Attributes:
        headline: Which rows of the table are meant.
        table: The table.
        provenance: What it was measured on and made with.
        is_new: Whether it differs from what an earlier run found.
    """

    headline: Headline
    table: Any
    provenance: Provenance
    is_new: bool


@dataclass(frozen=True, eq=False)
class TrainingFinding:
    """How a training went.

    Attributes:
        system: What was trained; for several models of one pipeline, the pipeline's name.
        metrics: What its ``train_metrics`` say.
        provenance: What it was trained on and made with.
        is_new: Whether anything was trained.
    """

    system: str
    metrics: Mapping[str, Any]
    provenance: Provenance
    is_new: bool


Finding = EvaluationFinding | TrainingFinding
"""What a run tells of."""


@dataclass
class _Clock:
    """Seconds by node, the saving of its products included, which is where a fan-out does its work."""

    begun: dict[str, float] = field(default_factory=dict)
    spent: dict[tuple[str, str], float] = field(default_factory=dict)

    def begin(self, node: "Node") -> None:
        self.begun[node.name] = time.monotonic()

    def note(self, node: "Node") -> None:
        if node.name in self.begun:
            self.spent[node.name, _stage(node)] = time.monotonic() - self.begun[node.name]

    def seconds(self, of: "Node") -> float:
        """Of all nodes of the same namespace and stage: a system's evaluation is not its training."""
        namespace, stage = of.name.rpartition(".")[0], _stage(of)
        mine = (node.startswith(f"{namespace}.") and where == stage for node, where in self.spent)
        return sum(spent for spent, is_mine in zip(self.spent.values(), mine, strict=True) if is_mine)


def _stage(node: "Node") -> str:
    return str(node.func.__module__).rpartition(".")[0]


class RunLedger:
    """Notes headlines and trainings while a pipeline runs, and writes a record beside each new one.

    The hooks that tell about a run are given the ledger; it is filled before they are asked. A fault in it is
    told once and costs the run nothing.
    """

    def __init__(self) -> None:
        self.project, self.environment = Path(), ""
        self.evaluations: list[EvaluationFinding] = []
        self.trainings: list[TrainingFinding] = []
        self._pipeline = Pipeline([])
        self._names: tuple[str, ...] = ()
        self._catalog: CatalogProtocol[Any, Any] | None = None
        self._clock, self._warned = _Clock(), False
        self._facts: RunFacts | None = None

    @property
    def facts(self) -> RunFacts:
        """Commit, environment, device and versions of this run; the device is known once it was used."""
        if self._facts is None:
            self._facts = RunFacts.of(self.project, self.environment)
        return replace(self._facts, device=used_device())

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, trainings first."""
        return [*self.trainings, *self.evaluations]

    @property
    def is_up_to_date(self) -> bool:
        """Whether everything that was found is what an earlier run had found; not where nothing was."""
        return bool(self.findings) and not any(each.is_new for each in self.findings)

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: "KedroContext") -> None:
        """Remembers where the project lies and which environment is used."""
        self.project, self.environment = Path(context.project_path), str(context.env or "laptop")

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]"
    ) -> None:
        """Begins anew."""
        self.evaluations, self.trainings = [], []
        self._pipeline, self._catalog = pipeline, catalog
        self._names = tuple(run_params.get("pipeline_names") or ["__default__"])
        self._clock, self._facts, self._warned = _Clock(), None, False

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: "Node") -> None:
        """Begins to take the time of a node."""
        self._clock.begin(node)

    @hook_impl(tryfirst=True)
    def after_node_run(self, node: "Node", inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Notes headlines and trainings among the outputs."""
        self._clock.note(node)
        for name, value in outputs.items():
            headline = headline_of(name)
            if headline is not None and hasattr(value, "columns"):
                self._attempt(partial(self._measured, name, headline, value, inputs))
            elif name.endswith(TRAIN_METRICS) and isinstance(value, Mapping):
                self._attempt(partial(self._trained, name, value, node, inputs))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: "Node") -> None:
        """Writes the record of a new result beside it, once that is on the disk."""
        self._clock.note(node)
        for found in self.findings:
            if found.provenance.dataset == dataset_name and found.is_new:
                self._attempt(partial(self._write, found, node))

    def _measured(self, name: str, headline: Headline, table: Any, inputs: Mapping[str, Any]) -> None:
        parameters, count = self._parameters({headline.data, "ingest"}), measured_count(headline, table)
        names = names_of_data(inputs)
        content = digest_of([str(column) for column in table.columns], table.to_csv(index=False))
        provenance = self._provenance(
            name, inputs, content,
            measured_on=data_in_words(headline.data, parameters, count, names),
            is_benchmark=is_published_benchmark(headline.data, parameters, count, names),
        )  # fmt: skip
        is_new = self._differs(provenance)
        self.evaluations.append(EvaluationFinding(headline, table, provenance, is_new))

    def _trained(
        self, name: str, metrics: Mapping[str, Any], node: "Node", inputs: Mapping[str, Any]
    ) -> None:
        before = blocks_of(self._pipeline.to_nodes(node.name)) & set(_TRAINING_DATA)
        parameters = self._parameters(before)
        block = next((block for block in _TRAINING_DATA if block in parameters), None)
        content = digest_of({key: value for key, value in metrics.items() if key not in _HOW_IT_WENT})
        words = "" if block is None else data_in_words(block, parameters)
        provenance = self._provenance(name, inputs, content, measured_on=words)
        is_new = training_status(metrics) != UP_TO_DATE
        self.trainings.append(TrainingFinding(name.removesuffix(TRAIN_METRICS), metrics, provenance, is_new))

    def _provenance(self, name: str, inputs: Mapping[str, Any], content: str, **words: Any) -> Provenance:
        return Provenance(
            dataset=name, data_digest=data_digest(inputs), result_digest=content, pipelines=self._names,
            commit=self.facts.commit, environment=self.facts.environment, device=self.facts.device,
            versions=self.facts.versions, **words,
        )  # fmt: skip

    def _differs(self, provenance: Provenance) -> bool:
        path = file_of(self._catalog, provenance.dataset)
        try:
            former = None if path is None or not path.is_file() else Provenance.of(path)
        except InputError:  # damaged: written anew
            return True
        both = ("result_digest", "data_digest")
        return former is None or any(getattr(former, name) != getattr(provenance, name) for name in both)

    def _write(self, found: Finding, node: "Node") -> None:
        path = file_of(self._catalog, found.provenance.dataset)
        if path is None or not path.is_file():
            return
        update = {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self._clock.seconds(node), 1),
            "peak_memory_gibibytes": _peak_memory(),
        }
        found.provenance.model_copy(update=update).write_beside(path)

    def _parameters(self, names: set[str]) -> dict[str, Any]:
        """Blocks of parameters by name, as far as they are known, also of those that no node reads."""
        known = {name: self._parameter(name) for name in names}
        return {name: value for name, value in known.items() if value is not None}

    def _parameter(self, name: str) -> Any:
        catalog = self._catalog
        dataset = None if catalog is None else catalog.get(f"{PARAMETER_PREFIX}{name}")
        value = None if dataset is None else dataset.load()
        if not isinstance(value, Mapping):
            return value
        # No node of this run reads the block, so that Kedro made no configuration of it.
        places = {key: value[key] for key in ("root", "split") if key in value}
        return SimpleNamespace(**places) if "root" in places else None

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ReadOnlyError:
            return  # a finished data folder, which an earlier version filled
        except Exception as error:
            if not self._warned:
                _log.warning("Where results come from could not be noted: %s", error)
            self._warned = True


def blocks_of(pipeline: Pipeline) -> set[str]:
    """The blocks of parameters that a pipeline reads as a whole."""
    names = {
        name.removeprefix(PARAMETER_PREFIX) for name in pipeline.inputs() if name.startswith(PARAMETER_PREFIX)
    }
    return {name for name in names if "." not in name}


def training_status(metrics: Mapping[str, Any]) -> str:
    """What ``train_metrics`` say: of several models "trained" if one of them was."""
    if "status" in metrics:
        return str(metrics["status"])
    models = [model for model in metrics.values() if isinstance(model, Mapping) and "status" in model]
    return UP_TO_DATE if models and all(model["status"] == UP_TO_DATE for model in models) else "trained"


def file_of(catalog: Any, name: str) -> Path | None:
    """Where a dataset lies; none if there is no such dataset, or it is in memory or far away."""
    dataset = None if catalog is None else catalog.get(name)
    place = None if dataset is None else dataset._describe().get("filepath")
    return None if place is None or "://" in str(place) else Path(str(place))


def _peak_memory() -> float:
    """Most memory that this process or one that it started and that has ended had, in GiB."""
    used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(used / (2**30 if sys.platform == "darwin" else 2**20), 2)
