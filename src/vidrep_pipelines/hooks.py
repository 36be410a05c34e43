"""Kedro hooks: unknown parameters are refused; runs that train or evaluate are tracked in MLflow."""

import atexit
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from vidrep_pipelines.common.digest import digest_of, plain
from vidrep_pipelines.common.extras import refuse_missing
from vidrep_pipelines.common.former_names import current_parameters
from vidrep_pipelines.common.portable_paths import text_without_places, without_places
from vidrep_pipelines.common.uri import without_credentials, without_secrets_of
from vidrep_pipelines.headlines import headline_rows
from vidrep_pipelines.ledger import UP_TO_DATE, EvaluationFinding, Finding, RunLedger, TrainingFinding
from vidrep_pipelines.logged_models import published_models
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.results import finding_lines
from vidrep_pipelines.runtime_parameters import (
    PARAMETER_PREFIX,
    describe_unread,
    parameter_names,
    refuse_data_root,
    refuse_interpolation,
    refuse_unknown,
    unread,
)
from vidrep_pipelines.tracking import TrackedRun

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline.node import Node

_TRACKING_PARAMETER = "params:tracking"
_TRACKED_TAGS = {"train", "eval"}

_EXTRAS_OF_TAGS = (
    ({"vpp", "train"}, "vpp", ("diffusers", "transformers")),
    ({"vpp", "serve"}, "serve", ("fastapi", "msgpack", "prometheus_client", "uvicorn", "websockets")),
)
"""Tags of nodes, the optional dependency group that they need, and what it brings."""

_log = logging.getLogger(__name__)


class ParameterNameHook:
    """Refuses runtime parameters that no pipeline reads: a misspelled block name would silently do nothing.

    Misspelled names inside a block are found earlier, when Kedro builds the block's config class.
    """

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Looks at the values before the configuration is read.

        Raises:
            ConfigurationError: A value would be taken for a reference to another parameter.
        """
        refuse_data_root(os.environ.get("VIDREP_DATA", ""))
        refuse_interpolation(context.config_loader.runtime_params or {})

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Compares ``--params`` with the parameters of all registered pipelines.

        Raises:
            ConfigurationError: A parameter is unknown; the message names it and the closest known ones.
        """
        from kedro.framework.project import pipelines

        known = (name for pipeline in pipelines.values() for name in parameter_names(pipeline))
        refuse_unknown(current_parameters(run_params.get("runtime_params") or {}), known)


class MissingExtraHook:
    """Asks for an optional dependency group before anything is computed, not at the node that needs it."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Looks at the tags of the nodes that are going to run.

        Raises:
            MissingExtraError: Video Prediction Policy is to be trained, or served, and what that takes is
                not installed.
        """
        for tags, extra, modules in _EXTRAS_OF_TAGS:
            if any(tags <= node.tags for node in pipeline.nodes):
                refuse_missing(extra, modules)


class UnreadParameterHook:
    """Names runtime parameters that no selected node reads: ``--nodes rsp.train`` does not plan anew."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Compares ``--params`` with the parameters of the nodes that are going to run."""
        from kedro.framework.project import pipelines

        names = run_params.get("pipeline_names") or ["__default__"]
        registered = sum((pipelines[name] for name in names), Pipeline([]))
        ignored = unread(current_parameters(run_params.get("runtime_params") or {}), pipeline, registered)
        if ignored:
            _log.warning("%s", describe_unread(ignored))


class TrackingHook:
    """Opens an MLflow run before the first node tagged ``train`` or ``eval`` and closes it with the pipeline.

    The run's address reaches such a node through its ``params:tracking`` input, so that training curves are
    logged by the training process itself, wherever that runs. Everything else is read off the node's outputs:
    numbers of ``*_metrics`` datasets become metrics, pictures become artifacts. The ledger says what was
    found and on which data: headlines become metrics ``headline/...``, data become inputs, commit,
    environment and device become tags, and a run that found nothing new is tagged ``outcome: up to date``.
    Checkpoints become logged models, to which their numbers are linked; their weights stay where they are. A
    tracking server that cannot be reached is reported once, is not asked again in this run of the pipeline,
    and never stops it. A name that the server refuses is reported and costs nothing else.

    Args:
        ledger: What the run finds. None: one that stays empty.
    """

    def __init__(self, ledger: RunLedger | None = None) -> None:
        self._ledger = ledger or RunLedger()
        self._told: list[Finding] = []
        self._run: TrackedRun | None = None
        self._uri, self._lost = "", False
        self._name = ""
        self._parameters: dict[str, Any] = {}
        self._pipeline = Pipeline([])
        self._catalog: CatalogProtocol[Any, Any] | None = None

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]"
    ) -> None:
        """Remembers what a tracked run of this pipeline would be called and which parameters it uses."""
        self._close("KILLED")  # Kedro reports no Ctrl-C, so that the run before may still be open
        self._lost, self._told = False, []
        self._pipeline, self._catalog = pipeline, catalog
        self._name = ",".join(run_params.get("pipeline_names") or ["__default__"])
        self._parameters = {
            name: catalog.load(f"{PARAMETER_PREFIX}{name}")
            for name in parameter_names(pipeline)
            if name != "tracking"  # an address may hold a password
        }

    @hook_impl
    def before_node_run(self, node: "Node", inputs: dict[str, Any]) -> dict[str, Any] | None:
        """Gives a tracked node the address of the run, opening it the first time."""
        config = inputs.get(_TRACKING_PARAMETER)
        if not (node.tags & _TRACKED_TAGS) or not isinstance(config, TrackingConfig) or not config.enabled:
            return None
        if self._run is None:
            self._attempt(lambda: self._open(config))
        if self._run is None or self._lost:
            return None
        return {_TRACKING_PARAMETER: config.model_copy(update={"run_id": self._run.run_id})}

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Logs metrics and pictures among the outputs, and what the ledger has noted of them."""
        for name, value in outputs.items():
            self._attempt(partial(self._log_output, name, value))
        new = [each for each in self._ledger.findings if each not in self._told]
        if self._run is not None and new:
            self._told += new
            self._attempt(partial(self._log_findings, new))

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Describes the run, links the models to it and marks it as finished."""
        self._attempt(self._describe)
        self._attempt(self._log_models)
        self._close("FINISHED")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Marks the run as failed, or as killed when somebody asked it to stop."""
        self._close("KILLED" if type(error).__name__ == "TrainingInterrupted" else "FAILED")

    def _open(self, config: TrackingConfig) -> list[str]:
        self._uri = config.uri
        self._run = TrackedRun.open(config, self._name)
        atexit.register(self._close, "KILLED")  # does nothing once the pipeline has come to its own end
        address = without_credentials(config.uri)
        _log.info("MLflow run %s in experiment %r at %s", self._run.run_id, config.experiment, address)
        facts = self._ledger.facts
        refused = self._run.tag(
            {
                "commit": facts.commit.removeprefix("commit "),
                "environment": facts.environment,
                "device": facts.device,
                **{f"version.{library}": version for library, version in facts.versions.items()},
            }
        )
        return refused + self._run.log_parameters(without_places(plain(self._parameters)))

    def _log_output(self, name: str, value: Any) -> list[str]:
        if self._run is None:
            return []
        if name.endswith("_metrics") and isinstance(value, dict):
            return self._run.log_metrics(name, value)
        if hasattr(value, "getpixel"):  # a PIL image, without importing PIL here
            return self._run.log_picture(name, value)
        return []

    def _log_findings(self, found: Sequence[Finding]) -> list[str]:
        if self._run is None:
            return []
        refused: list[str] = []
        for each in found:
            is_training = isinstance(each, TrainingFinding)
            data, name = each.provenance, each.provenance.dataset.rpartition(".")[0]
            words = text_without_places(data.measured_on)
            digest = data.data_digest or digest_of(words)
            context = "training" if is_training else "evaluation"
            refused += self._run.log_data(name, digest, words, context)
            refused += self._run.tag({f"data.{name}": words, f"data_digest.{name}": data.data_digest})
        return refused + self._run.log_metrics("headline", _headline_numbers(found))

    def _log_models(self) -> list[str]:
        if self._run is None or self._catalog is None:
            return []
        models = published_models(self._pipeline, self._catalog, self._ledger.findings)
        return [reason for model in models for reason in self._run.log_model(model)]

    def _describe(self) -> list[str]:
        if self._run is None:
            return []
        lines = [text_without_places(line) for line in finding_lines(self._ledger)]
        table = ["```", *lines, "```", ""] if lines else []
        up_to_date = self._ledger.is_up_to_date
        note = ["Nothing was new: all this was found by an earlier run.", ""] if up_to_date else []
        facts = self._ledger.facts
        outcome = {"outcome": UP_TO_DATE if up_to_date else "new", "device": facts.device}
        text = "\n".join([*note, *table, f"Made with {facts}."])
        return self._run.describe(text) + self._run.tag(outcome)

    def _close(self, status: str) -> None:
        run, self._run = self._run, None
        if run is not None:
            self._lost = False  # a run that stays open looks as if it were still going on: worth asking again
            self._attempt(partial(run.close, status))

    def _attempt(self, action: Callable[[], list[str] | None]) -> None:
        """A tracking fault must not cost a training run, nor a silent server a wait at every node."""
        if self._lost:
            return
        try:
            refused = action() or []
        except Exception as error:
            self._lost = True
            message = without_secrets_of(self._uri, str(error))
            extent = "not tracked" if self._run is None else "tracked only in part"
            _log.warning("MLflow failed, this run is %s: %s", extent, message)
        else:
            for reason in refused:
                _log.warning("MLflow refused a part: %s", without_secrets_of(self._uri, reason))


def _headline_numbers(found: Sequence[Finding]) -> dict[str, Any]:
    """Numbers of the main measure of each evaluation, by evaluation and contender."""
    numbers = {}
    for each in found:
        if isinstance(each, EvaluationFinding):
            blocks = headline_rows(each.headline, each.table)
            rows = blocks[0][1] if blocks else []
            numbers[each.provenance.dataset.rpartition(".")[0]] = {row.contender: row.value for row in rows}
    return numbers
