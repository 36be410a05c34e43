"""One MLflow run, addressed explicitly: no active-run global, so threads and child processes are safe."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vidrep_pipelines.common.atomic import temporary_path
from vidrep_pipelines.common.tracking_server import (
    be_impatient,
    database_path,
    is_refusal,
    require_answer,
    safe_name,
    safe_text,
    send_all,
)
from vidrep_pipelines.common.uri import without_credentials
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.runtime_parameters import flatten

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from PIL.Image import Image

    from vidrep_pipelines.logged_models import PublishedModel

_LONGEST_PARAMETER = 500
_LONGEST_TEXT = 5000
_DESCRIPTION = "mlflow.note.content"
_KIND, _RUNS_TO_COMPARE = "mlflow.experimentKind", "custom_model_development"
"""What an experiment is for: without it, MLflow's pages take it for one of a language model."""
_PARAMETERS_PER_CALL, _METRICS_PER_CALL = 100, 1000  # the server's limits


class TrackedRun:
    """An open run: parameters, metrics and pictures go in, then it is closed with a status.

    What is logged returns the reasons why MLflow refused parts of it; the rest is logged all the same.
    """

    def __init__(self, client: "MlflowClient", experiment_id: str, run_id: str, uri: str) -> None:
        self._client, self._experiment_id, self._uri = client, experiment_id, uri
        self.run_id = run_id

    @classmethod
    def open(cls, config: TrackingConfig, name: str) -> Self:
        """Creates a run in the configured experiment, and the experiment when it is new.

        Raises:
            OSError: The server does not answer.
            Exception: What MLflow raises.
        """
        be_impatient()
        require_answer(config.uri)
        location = None if config.artifacts is None else config.artifacts.resolve().as_uri()
        _ensure_database(config.uri, location)
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=config.uri)
        experiment_id = _experiment_id(client, config.experiment, location)
        run_id = client.create_run(experiment_id, run_name=name).info.run_id
        return cls(client, experiment_id, run_id, config.uri)

    def log_parameters(self, parameters: dict[str, Any]) -> list[str]:
        """Logs nested parameters under dotted names, without the passwords of addresses."""
        from mlflow.entities import Param

        flat = [
            Param(safe_name(name), safe_text(without_credentials(str(value)), _LONGEST_PARAMETER))
            for name, value in flatten(parameters).items()
        ]
        return send_all(self._send_parameters, flat, _PARAMETERS_PER_CALL)

    def log_metrics(self, prefix: str, metrics: dict[str, Any]) -> list[str]:
        """Logs the numbers among ``metrics`` as ``prefix/name``."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        numbers = [
            Metric(safe_name(f"{prefix}/{name}"), float(value), now, 0)
            for name, value in flatten(metrics).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        return send_all(self._send_metrics, numbers, _METRICS_PER_CALL)

    def log_picture(self, name: str, picture: "Image") -> list[str]:
        """Uploads a picture as ``name.png``."""
        pixels, file = picture.convert("RGB"), f"{safe_name(name)}.png"
        return _unless_refused(lambda: self._client.log_image(self.run_id, pixels, file))

    def tag(self, tags: Mapping[str, str]) -> list[str]:
        """Sets tags, by which runs are searched; those without a value are left out."""
        from mlflow.entities import RunTag

        known = [
            RunTag(safe_name(name), safe_text(text, _LONGEST_TEXT)) for name, text in tags.items() if text
        ]
        return _unless_refused(lambda: self._client.log_batch(self.run_id, tags=known))

    def describe(self, text: str) -> list[str]:
        """Sets the description, which the page of the run shows; Markdown."""
        return self.tag({_DESCRIPTION: text})

    def log_data(self, name: str, digest: str, words: str, context: str) -> list[str]:
        """Names the data that the run read.

        Args:
            name: What they were read for, such as ``davis``.
            digest: Changes with the data.
            words: What they are.
            context: ``training`` or ``evaluation``.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"data": safe_text(words, _LONGEST_TEXT)})
        data = Dataset(name=safe_name(name), digest=digest, source_type="vidrep", source=source)
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", context)])]
        return _unless_refused(lambda: self._client.log_inputs(self.run_id, inputs))

    def log_model(self, model: "PublishedModel") -> list[str]:
        """Links a checkpoint of the catalog to the run, and its numbers to both; no weights are copied.

        The model is created the first time that a run of the experiment has it, as this run's output. Later
        runs find it by its digest and add to its numbers.
        """
        return _unless_refused(lambda: self._link_model(model))

    def _link_model(self, model: "PublishedModel") -> None:
        from mlflow.entities import LoggedModelInput, LoggedModelOutput, Metric
        from mlflow.utils.time import get_current_time_millis

        known = self._client.search_logged_models(
            [self._experiment_id],
            filter_string=f"name = '{model.name}' AND tags.digest = '{model.digest}'",
            max_results=1,
        )
        if known:
            model_id = known[0].model_id
            self._client.log_inputs(self.run_id, models=[LoggedModelInput(model_id)])
        else:
            model_id = self._create_model(model)
            self._client.log_outputs(self.run_id, [LoggedModelOutput(model_id, 0)])
        now = get_current_time_millis()
        for numbers in model.numbers:
            metrics = [
                Metric(safe_name(name), value, now, 0, model_id, safe_name(numbers.data), numbers.data_digest)
                for name, value in numbers.values.items()
            ]
            self._send_metrics(metrics[:_METRICS_PER_CALL])

    def _create_model(self, model: "PublishedModel") -> str:
        """Creates it as one whose files lie elsewhere."""
        from mlflow.utils.mlflow_tags import MLFLOW_MODEL_IS_EXTERNAL

        created = self._client.create_logged_model(
            self._experiment_id,
            model.name,
            source_run_id=self.run_id,
            tags={
                MLFLOW_MODEL_IS_EXTERNAL: "true",
                "digest": model.digest,
                "checkpoint": safe_text(model.place, _LONGEST_TEXT),
            },
            params={name: safe_text(value, _LONGEST_PARAMETER) for name, value in model.facts.items()},
            model_type="vidrep",
        )
        self._client.finalize_logged_model(created.model_id, "READY")
        return str(created.model_id)

    def close(self, status: str) -> None:
        """Ends the run: FINISHED, FAILED or KILLED.

        Raises:
            OSError: The server does not answer any more.
        """
        require_answer(self._uri)
        self._client.set_terminated(self.run_id, status)

    def _send_parameters(self, batch: Sequence[Any]) -> None:
        self._client.log_batch(self.run_id, params=batch)

    def _send_metrics(self, batch: Sequence[Any]) -> None:
        self._client.log_batch(self.run_id, metrics=batch)


def _unless_refused(send: Callable[[], object]) -> list[str]:
    """Sends something; the reason if the server refuses it.

    Raises:
        Exception: The server does not answer.
    """
    try:
        send()
    except Exception as error:
        if not is_refusal(error):
            raise
        return [str(error)]
    return []


def _ensure_database(uri: str, artifacts: str | None) -> None:
    """Creates an SQLite database under another name and gives it its own when it is whole.

    MLflow changes the tables of a new database dozens of times without a lock: of two runs that begin at once
    each would do it, one would fail, and a killed one would leave half of it.
    """
    path = database_path(uri)
    if path is None or path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    temporary = temporary_path(path)
    try:
        SqlAlchemyStore(f"sqlite:///{temporary}", artifacts or "./mlruns").engine.dispose()
        _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path) -> None:
    """Gives the file its name unless another run was faster, whose database then is the one."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            temporary.rename(path)


def _experiment_id(client: "MlflowClient", name: str, location: str | None) -> str:
    """The experiment, which another run may create at this very moment."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        if _KIND not in experiment.tags:  # of an earlier version
            client.set_experiment_tag(experiment.experiment_id, _KIND, _RUNS_TO_COMPARE)
        return str(experiment.experiment_id)
    try:
        return str(client.create_experiment(name, location, {_KIND: _RUNS_TO_COMPARE}))
    except MlflowException:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return str(experiment.experiment_id)
