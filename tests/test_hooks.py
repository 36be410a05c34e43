import contextlib
import io
import logging
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.framework.project import pipelines
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image
from pydantic import ValidationError

from tests.helpers.project import bootstrap, run_pipeline
from vidrep_pipelines import hooks
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, MissingExtraError
from vidrep_pipelines.console import LoggingHook
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.hooks import MissingExtraHook, ParameterNameHook, TrackingHook
from vidrep_pipelines.ledger import RunLedger
from vidrep_pipelines.models.rsp.config import RspDataConfig
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.tracking import TrackedRun
from vidrep_pipelines.training.errors import TrainingInterrupted

# --- optional dependencies


@pytest.mark.parametrize("name", ["pretrain_vpp_video", "eval_rollout", "serve_policy"])
def test_a_missing_extra_is_said_before_anything_is_computed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where a node needs it: latents of the linear codec do not."""
    bootstrap()
    missing = "fastapi" if name == "serve_policy" else "diffusers"
    monkeypatch.setattr(
        "vidrep_pipelines.common.extras.find_spec", lambda module: None if module == missing else module
    )
    extra = "serve" if name == "serve_policy" else "vpp"
    with pytest.raises(MissingExtraError, match=rf"{missing} is not installed.*\[{extra}\]"):
        MissingExtraHook().before_pipeline_run(pipelines[name])
    for other in ("latent_extraction_svd", "pretrain_rsp", "eval_davis"):
        MissingExtraHook().before_pipeline_run(pipelines[other])


# --- names of runtime parameters


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"rsp": {"train": {"steps": 3, "optimizer": {"warmup_steps": 1}}, "initialize_from": "x.pth"}},
        {"resize": {"short_side": 64}, "launch": {"processes": 2}, "label_filter": {"min_frames": 9}},
        {"resize": {"no_such_field": 1}},  # found by the config class, with a better message
    ],
)
def test_parameters_of_any_pipeline_pass(parameters: dict[str, Any] | None) -> None:
    bootstrap()
    ParameterNameHook().before_pipeline_run({"runtime_params": parameters})


@pytest.mark.parametrize(
    ("parameters", "name", "suggestion"),
    [
        ({"resise": {"short_side": 64}}, "resise.short_side", "resize"),
        ({"rsp": {"trian": {"steps": 3}}}, "rsp.trian.steps", "rsp.train"),
        ({"resize": {"short_side": 64}, "rps": {"model": {"depth": 1}}}, "rps.model.depth", "rsp.model"),
        ({"rsp": 3}, "rsp", "rsp.data"),
        ({"trackin": True}, "trackin", "tracking"),
        ({"resized": {"short_side": 64}}, "resized.short_side", "resize"),
        ({"qqq": 1}, "qqq", "ingest, "),
    ],
)
def test_unknown_parameters_are_refused_with_the_closest_names(
    parameters: dict[str, Any], name: str, suggestion: str
) -> None:
    bootstrap()
    with pytest.raises(ConfigurationError) as caught:
        ParameterNameHook().before_pipeline_run({"runtime_params": parameters})
    message = str(caught.value)
    assert f"parameter {name!r}" in message
    assert suggestion in message.partition("Parameters are: ")[2]


def test_a_session_stops_at_an_unknown_parameter_before_any_node(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'ingets\.root'.*ingest"):
        run_pipeline("ingest", tmp_path, {"ingets": {"root": "x"}})
    assert list(tmp_path.iterdir()) == []


# --- log lines


class RichHandler(logging.StreamHandler[io.StringIO]):
    """Goes by the name of Kedro's handler."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def open_session(patch: pytest.MonkeyPatch, stream: io.StringIO, project: Path) -> list[logging.Handler]:
    """The root logger's handlers after two sessions began with ``stream`` as standard error."""
    handlers: list[logging.Handler] = [logging.NullHandler(), RichHandler(io.StringIO())]
    patch.setenv("KEDRO_LOGGING_CONFIG", "")
    patch.delenv("KEDRO_LOGGING_CONFIG")
    patch.setattr(logging.getLogger(), "handlers", handlers)
    patch.setattr("sys.stderr", stream)
    loader = SimpleNamespace(conf_source=str(project / "conf"))
    context: Any = SimpleNamespace(project_path=str(project), config_loader=loader)
    for _ in range(2):
        LoggingHook().after_context_created(context)
    return handlers


def test_log_of_a_batch_system_has_plain_lines(monkeypatch: pytest.MonkeyPatch, project_root: Path) -> None:
    stream = io.StringIO()
    with monkeypatch.context() as patch:  # not for the whole test: pytest adds and removes handlers around it
        handlers = open_session(patch, stream, project_root)
        logging.getLogger("vidrep_pipelines.test").warning("one line %d", 7)
    assert [type(handler) for handler in handlers] == [logging.NullHandler, logging.StreamHandler]
    assert stream.getvalue().endswith("WARNING vidrep_pipelines.test: one line 7\n")
    assert stream.getvalue().count("\n") == 1


def test_terminal_keeps_its_colors(monkeypatch: pytest.MonkeyPatch, project_root: Path) -> None:
    with monkeypatch.context() as patch:
        handlers = open_session(patch, Terminal(), project_root)
    assert [type(handler) for handler in handlers] == [logging.NullHandler, RichHandler]


def test_started_processes_log_plain_lines_without_announcing_themselves(
    monkeypatch: pytest.MonkeyPatch, project_root: Path, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        open_session(patch, io.StringIO(), project_root)
        path = Path(os.environ["KEDRO_LOGGING_CONFIG"])
        open_session(patch, io.StringIO(), tmp_path)
        assert "KEDRO_LOGGING_CONFIG" not in os.environ
    environment = {**os.environ, "KEDRO_LOGGING_CONFIG": str(path)}
    program = "import kedro.framework.project, logging; logging.getLogger('vidrep_pipelines').info('hello')"
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert (run.stdout + run.stderr).strip().endswith("hello")
    assert len((run.stdout + run.stderr).strip().splitlines()) == 1


# --- tracking

SCORES = pd.DataFrame(
    [("J&F-Mean", "rsp", 41.2, 38.0, 44.0, 2), ("J&F-Mean", "random", 35.0, 34.0, 36.0, 2)],
    columns=["measure", "encoder", "value", "low", "high", "sequences"],
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def tracking(store: str, request: pytest.FixtureRequest, tmp_path: Path) -> TrackingConfig:
    """A store with an experiment of the test's own."""
    return TrackingConfig(uri=store, experiment=request.node.name, artifacts=tmp_path / "artifacts")


@pytest.fixture
def runs(tracking: TrackingConfig) -> Callable[[], list[Run]]:
    """Gives the test's runs, the oldest first."""
    client = MlflowClient(tracking_uri=tracking.uri)

    def search() -> list[Run]:
        experiment = client.get_experiment_by_name(tracking.experiment)
        ids = [] if experiment is None else [experiment.experiment_id]
        return list(client.search_runs(ids, order_by=["attributes.start_time ASC"])) if ids else []

    return search


class Toy:
    """A pipeline of three nodes, of which the second is to be tracked."""

    def __init__(self, tag: str = "train", error: BaseException | None = None) -> None:
        self.seen: list[TrackingConfig] = []
        self._error = error
        self.pipeline = Pipeline(
            [
                Node(lambda _: {"clips": 5}, "params:data", "early_metrics", name="prepare"),
                Node(
                    self._train,
                    ["early_metrics", "params:data", "params:tracking"],
                    ["toy.train_metrics", "weights"],
                    name="train",
                    tags=[tag, "gpu"],
                ),
                Node(lambda _: Image.new("RGBA", (6, 5)), "weights", "toy.curves", name="draw"),
            ]
        )

    def _train(self, _: object, data: RspDataConfig, tracking: TrackingConfig) -> tuple[dict[str, Any], str]:
        self.seen.append(tracking)
        if self._error is not None:
            raise self._error
        return {"loss": 0.5, "status": "trained", "last": {"kl": 2}}, "weights"


def run_toy(toy: Toy, tracking: TrackingConfig, hook: TrackingHook | None = None) -> Mapping[str, Any]:
    """Runs the pipeline as a Kedro session does; returns what it saved."""
    saved = {name: MemoryDataset() for name in ("toy.train_metrics", "toy.curves")}
    inputs = {"params:data": MemoryDataset(RspDataConfig()), "params:tracking": MemoryDataset(tracking)}
    catalog = DataCatalog({**inputs, **saved})
    manager = _create_hook_manager()
    _register_hooks(manager, (hook or TrackingHook(),))
    about: dict[str, Any] = {
        "run_params": {"pipeline_names": ["pretrain_toy"]},
        "pipeline": toy.pipeline,
        "catalog": catalog,
    }
    manager.hook.before_pipeline_run(**about)
    try:
        SequentialRunner().run(toy.pipeline, catalog, manager)
    except Exception as error:
        manager.hook.on_pipeline_error(error=error, **about)
        raise
    manager.hook.after_pipeline_run(run_result={}, **about)
    return {name: dataset.load() for name, dataset in saved.items()}


@pytest.mark.parametrize("tag", ["train", "eval"])
def test_run_receives_parameters_metrics_and_pictures(
    tag: str, tracking: TrackingConfig, runs: Callable[[], list[Run]]
) -> None:
    toy = Toy(tag)
    run_toy(toy, tracking)
    (run,) = runs()
    assert (run.info.run_name, run.info.status) == ("pretrain_toy", "FINISHED")
    assert run.data.params["data.sampling.pairs_per_clip"] == "2"
    assert run.data.params["data.crop_scale"] == "[0.5, 1.0]"
    assert not any(name.startswith("tracking") for name in run.data.params)  # an address may hold a password
    assert run.data.metrics == {"toy.train_metrics/loss": 0.5, "toy.train_metrics/last.kl": 2.0}
    artifacts = MlflowClient(tracking_uri=tracking.uri).list_artifacts(run.info.run_id)
    assert [artifact.path for artifact in artifacts] == ["toy.curves.png"]
    assert toy.seen == [tracking.model_copy(update={"run_id": run.info.run_id})]


def test_headlines_data_and_description_of_an_evaluation(
    tracking: TrackingConfig, runs: Callable[[], list[Run]], tmp_path: Path
) -> None:
    ledger = RunLedger()
    pipeline = Pipeline(
        [
            Node(
                lambda *_: SCORES,
                ["sequences", "params:davis", "params:tracking"],
                "davis.summary",
                name="davis.summarize",
                tags=["eval"],
            )
        ]
    )
    catalog = DataCatalog(
        {
            "sequences": MemoryDataset(pd.DataFrame({"id": ["a"], "digest": ["1"]})),
            "params:davis": MemoryDataset(DavisConfig(root=tmp_path / "mine")),
            "params:tracking": MemoryDataset(tracking),
        }
    )
    manager = _create_hook_manager()
    _register_hooks(manager, (ledger, TrackingHook(ledger)))
    about: dict[str, Any] = {"run_params": {}, "pipeline": pipeline, "catalog": catalog}
    manager.hook.before_pipeline_run(**about)
    SequentialRunner().run(pipeline, catalog, manager)
    manager.hook.after_pipeline_run(**about, run_result={})
    (run,) = runs()
    assert run.data.metrics == {"headline/davis.rsp": 41.2, "headline/davis.random": 35.0}
    words = "2 sequences in DAVIS-2017's layout in mine (list val)"
    assert (run.data.tags["data.davis"], run.data.tags["outcome"]) == (words, "new")
    assert run.data.params["davis.root"] == "mine"
    (read,) = run.inputs.dataset_inputs
    assert read.dataset.digest == digest_of(["a"], ["1"]) == run.data.tags["data_digest.davis"]
    description = run.data.tags["mlflow.note.content"]
    assert "rsp         41.2  [38, 44]" in description and f"measured on: {words}" in description


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("the disk fell out"), "FAILED"),
        (ConfigurationError("no"), "FAILED"),
        (TrainingInterrupted("stopped by SIGTERM"), "KILLED"),
    ],
    ids=["fault", "own", "stopped"],
)
def test_run_that_does_not_finish(
    error: Exception, status: str, tracking: TrackingConfig, runs: Callable[[], list[Run]]
) -> None:
    with pytest.raises(type(error), match=str(error)):
        run_toy(Toy(error=error), tracking)
    assert [run.info.status for run in runs()] == [status]


def test_every_pipeline_run_gets_a_run_of_its_own(
    tracking: TrackingConfig, runs: Callable[[], list[Run]]
) -> None:
    hook = TrackingHook()
    with pytest.raises(RuntimeError, match="once"):
        run_toy(Toy(error=RuntimeError("once")), tracking, hook)
    run_toy(Toy(), tracking, hook)
    assert [run.info.status for run in runs()] == ["FAILED", "FINISHED"]


def test_interrupted_run_is_closed_before_the_next_one(
    tracking: TrackingConfig, runs: Callable[[], list[Run]]
) -> None:
    hook = TrackingHook()
    with pytest.raises(KeyboardInterrupt):
        run_toy(Toy(error=KeyboardInterrupt()), tracking, hook)
    run_toy(Toy(), tracking, hook)
    assert [run.info.status for run in runs()] == ["KILLED", "FINISHED"]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), "KILLED"), (None, "FINISHED")])
def test_end_of_the_process_closes_what_is_open(
    error: BaseException | None,
    status: str,
    tracking: TrackingConfig,
    runs: Callable[[], list[Run]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_exit: list[tuple[Any, ...]] = []
    monkeypatch.setattr("atexit.register", lambda *call: at_exit.append(call))
    with contextlib.suppress(KeyboardInterrupt):
        run_toy(Toy(error=error), tracking)
    for function, *arguments in at_exit:
        if getattr(function, "__func__", None) is TrackingHook._close:
            function(*arguments)
    assert [run.info.status for run in runs()] == [status]


def test_nothing_is_opened_without_need(tracking: TrackingConfig, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for toy, config in (
        (Toy(), tracking.model_copy(update={"uri": uri, "enabled": False})),
        (Toy(tag="cpu"), tracking.model_copy(update={"uri": uri})),
    ):
        run_toy(toy, config)
        assert toy.seen == [config]
    assert list(tmp_path.iterdir()) == []


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_unreachable_server_costs_a_warning_and_nothing_else(
    tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    toy, config = Toy(), tracking.model_copy(update={"uri": f"http://127.0.0.1:{closed_port()}"})
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        saved = run_toy(toy, config)
    assert toy.seen == [config] and config.run_id is None
    assert saved["toy.train_metrics"]["loss"] == 0.5
    warnings = [record.getMessage() for record in caplog.records if record.name == hooks.__name__]
    assert len(warnings) == 1
    assert "MLflow failed" in warnings[0] and "refused" in warnings[0]


def test_server_lost_on_the_way(
    tracking: TrackingConfig,
    runs: Callable[[], list[Run]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def lose(*_: object) -> None:
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(TrackedRun, "log_metrics", lose)
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        saved = run_toy(Toy(), tracking)
    assert saved["toy.curves"].size == (6, 5)
    assert "the server is gone" in caplog.text
    assert [(run.info.status, run.data.metrics) for run in runs()] == [("FINISHED", {})]


class Hangup(socketserver.BaseRequestHandler):
    """Closes every connection without a word."""

    def handle(self) -> None:
        return


@pytest.fixture
def rude_server() -> Iterator[str]:
    """The place of a server that takes connections and says nothing."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hangup) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_password_of_the_server_is_not_in_the_log(
    rude_server: str,
    tracking: TrackingConfig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://me:much%2Dsecret@{rude_server}"
    with caplog.at_level(logging.DEBUG):
        run_toy(Toy(), tracking.model_copy(update={"uri": uri}))
    (warning,) = [record.getMessage() for record in caplog.records if record.name == hooks.__name__]
    assert "this run is not tracked" in warning and f"http://{rude_server}" in warning
    assert "secret" not in caplog.text


def test_configuration_that_is_shown_has_no_password() -> None:
    uri = "http://me:secret@host"
    assert "secret" not in repr(TrackingConfig(uri=uri))
    with pytest.raises(ValidationError) as caught:
        TrackingConfig.model_validate({"uri": uri, "experimnet": "x"})
    assert "experimnet" in str(caught.value) and "secret" not in str(caught.value)


def test_server_that_does_not_answer_is_asked_once_for_all_nodes(
    tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def ask(config: TrackingConfig, name: str) -> None:
        asked.append(name)
        raise OSError("nobody answers")

    monkeypatch.setattr(TrackedRun, "open", ask)
    nodes = [
        Node(lambda _: 1, "params:tracking", f"out_{number}", name=f"node_{number}", tags=["eval"])
        for number in range(3)
    ]
    toy, hook = Toy(), TrackingHook()
    toy.pipeline += Pipeline(nodes)
    for number in (1, 2):  # a later run of a pipeline asks again
        with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
            run_toy(toy, tracking, hook)
        assert len(asked) == number
        assert caplog.text.count("nobody answers") == number


def test_a_name_that_the_server_refuses_is_told_and_costs_nothing_else(
    tracking: TrackingConfig,
    runs: Callable[[], list[Run]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("vidrep_pipelines.tracking.safe_name", lambda name: name.replace("last.kl", "%"))
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        run_toy(Toy(), tracking)
    (run,) = runs()
    assert run.data.metrics == {"toy.train_metrics/loss": 0.5}
    (warning,) = [record.getMessage() for record in caplog.records if record.name == hooks.__name__]
    assert "refused" in warning and "toy.train_metrics/%" in warning
