"""Kedro hooks: every run that trains or evaluates becomes an MLflow run, with metrics and pictures."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from vidrep_pipelines.common.digest import plain
from vidrep_pipelines.training.config import TrackingConfig, TrackingTarget

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from mlflow import MlflowClient

_TRACKED_TAGS = {"train", "eval"}
_TRACKING_PARAMETER = "params:tracking"
_LONGEST_PARAMETER = 500

_log = logging.getLogger(__name__)


class TrackingHook:
    """Opens an MLflow run before the first node tagged ``train`` or ``eval`` and closes it with the pipeline.

    The run's address reaches such a node through its ``params:tracking`` input, so that training curves are
    logged by the training process itself, wherever that runs. Everything else is read off the node's outputs:
    numbers of ``*_metrics`` datasets become metrics, pictures become artifacts. A tracking server that cannot
    be reached is reported once and never stops a run.
    """

    def __init__(self) -> None:
        self._client: MlflowClient | None = None
        self._target: TrackingTarget | None = None
        self._pipeline_name = ""
        self._parameters: dict[str, Any] = {}

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: "Pipeline", catalog: "CatalogProtocol"
    ) -> None:
        """Remembers what a tracked run of this pipeline would be called and which parameters it uses."""
        self._client, self._target = None, None
        self._pipeline_name = _pipeline_name(run_params)
        names = sorted(name for name in pipeline.inputs() if name.startswith("params:"))
        self._parameters = {name.removeprefix("params:"): catalog.load(name) for name in names}

    @hook_impl
    def before_node_run(self, node: "Node", inputs: dict[str, Any]) -> dict[str, Any] | None:
        """Gives a tracked node the address of the run, opening it the first time."""
        config = inputs.get(_TRACKING_PARAMETER)
        if not (node.tags & _TRACKED_TAGS) or not isinstance(config, TrackingConfig) or not config.enabled:
            return None
        if self._target is None:
            self._open_run(config)
        return None if self._target is None else {_TRACKING_PARAMETER: self._target}

    @hook_impl
    def after_node_run(self, node: "Node", outputs: dict[str, Any]) -> None:
        """Logs metrics and pictures among the outputs."""
        if self._client is None:
            return
        try:
            for name, value in outputs.items():
                self._log_output(name, value)
        except Exception as error:  # a tracking fault must not cost a training run
            _log.warning("MLflow did not take the outputs of %s: %s", node.name, error)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Marks the run as finished."""
        self._close_run("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Marks the run as failed."""
        self._close_run("FAILED")

    def _open_run(self, config: TrackingConfig) -> None:
        try:
            self._client = _client(config.uri)
            experiment = self._client.get_experiment_by_name(config.experiment)
            experiment_id = (
                experiment.experiment_id
                if experiment
                else self._client.create_experiment(config.experiment, artifact_location=_location(config))
            )
            run = self._client.create_run(experiment_id, run_name=self._pipeline_name)
            self._target = TrackingTarget(uri=config.uri, run_id=run.info.run_id)
            self._log_parameters()
            _log.info("MLflow run %s in experiment %r at %s", run.info.run_id, config.experiment, config.uri)
        except Exception as error:  # a tracking fault must not cost a training run
            self._client = None
            _log.warning("MLflow is not available at %s, this run is not tracked: %s", config.uri, error)

    def _log_parameters(self) -> None:
        from mlflow.entities import Param

        flat = _flatten(plain(self._parameters))
        parameters = [Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in flat.items()]
        assert self._client is not None and self._target is not None
        for start in range(0, len(parameters), 100):  # the server's limit per call
            self._client.log_batch(self._target.run_id, params=parameters[start : start + 100])

    def _log_output(self, name: str, value: Any) -> None:
        assert self._client is not None and self._target is not None
        if name.endswith("_metrics") and isinstance(value, dict):
            for key, number in _flatten(value).items():
                if isinstance(number, int | float) and not isinstance(number, bool):
                    self._client.log_metric(self._target.run_id, f"{name}/{key}", float(number))
        elif hasattr(value, "save") and hasattr(value, "convert"):  # a PIL image, without importing PIL
            self._client.log_image(self._target.run_id, value.convert("RGB"), f"{name}.png")

    def _close_run(self, status: str) -> None:
        if self._client is None or self._target is None:
            return
        try:
            self._client.set_terminated(self._target.run_id, status)
        except Exception as error:  # a tracking fault must not cost a training run
            _log.warning("MLflow did not close run %s: %s", self._target.run_id, error)
        self._client, self._target = None, None


def _client(uri: str) -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # must be set before the first import of mlflow
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri)


def _location(config: TrackingConfig) -> str | None:
    return None if config.artifacts is None else config.artifacts.resolve().as_uri()


def _pipeline_name(run_params: dict[str, Any]) -> str:
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name") or "__default__"]
    return ",".join(names)


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat.update(_flatten(value, f"{name}.") if isinstance(value, dict) else {name: value})
    return flat
