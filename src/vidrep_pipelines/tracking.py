"""One MLflow run, addressed explicitly: no active-run global, so threads and child processes are safe."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vidrep_pipelines.pipelines.config import TrackingConfig

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from PIL.Image import Image

_LONGEST_PARAMETER = 500
_PARAMETERS_PER_CALL = 100  # the server's limit
# MLflow's own defaults keep a run waiting for many minutes when the server does not answer.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class TrackedRun:
    """An open run: parameters, metrics and pictures go in, then it is closed with a status."""

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self._client = client
        self.run_id = run_id

    @classmethod
    def open(cls, config: TrackingConfig, name: str) -> Self:
        """Creates a run in the configured experiment, and the experiment when it is new."""
        client = _client(config.uri)
        experiment = client.get_experiment_by_name(config.experiment)
        if experiment is None:
            location = None if config.artifacts is None else config.artifacts.resolve().as_uri()
            experiment_id = client.create_experiment(config.experiment, artifact_location=location)
        else:
            experiment_id = experiment.experiment_id
        return cls(client, client.create_run(experiment_id, run_name=name).info.run_id)

    def log_parameters(self, parameters: dict[str, Any]) -> None:
        """Logs nested parameters under dotted names."""
        from mlflow.entities import Param

        flat = [Param(name, str(value)[:_LONGEST_PARAMETER]) for name, value in flatten(parameters).items()]
        for start in range(0, len(flat), _PARAMETERS_PER_CALL):
            self._client.log_batch(self.run_id, params=flat[start : start + _PARAMETERS_PER_CALL])

    def log_metrics(self, prefix: str, metrics: dict[str, Any]) -> None:
        """Logs the numbers among ``metrics`` as ``prefix/name``."""
        for name, value in flatten(metrics).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._client.log_metric(self.run_id, f"{prefix}/{name}", float(value))

    def log_picture(self, name: str, picture: "Image") -> None:
        """Uploads a picture as ``name.png``."""
        self._client.log_image(self.run_id, picture.convert("RGB"), f"{name}.png")

    def close(self, status: str) -> None:
        """Ends the run: FINISHED, FAILED or KILLED."""
        self._client.set_terminated(self.run_id, status)


def _client(uri: str) -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # must be set before the first import of mlflow
    for variable, value in _PATIENCE.items():
        os.environ.setdefault(variable, value)
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts to one level with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat.update(flatten(value, f"{name}.") if isinstance(value, dict) else {name: value})
    return flat
