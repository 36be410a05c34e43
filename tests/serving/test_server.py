import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.rollouts import Steady
from tests.helpers.serving import asked, post
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.serving.config import ServingConfig
from vidrep_pipelines.serving.server import serve_policy, token_from

ROOT = Path(__file__).parents[2]


@contextmanager
def started(port: int = 0, seconds: float = 0) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A service in a process of its own, and its address."""
    command = [sys.executable, "-m", "tests.serving.service_process", str(port), str(seconds)]
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "Policies are served at" in line)
        yield process, line.split(" at ")[1].split(";")[0]
    finally:
        process.kill()
        process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_service_after_the_plan_at_hand_and_the_run_goes_on(number: int) -> None:
    with started(seconds=0.5) as (process, address), ThreadPoolExecutor(1) as client:
        asking = client.submit(post, address, asked())
        assert process.stdout is not None
        assert any("planning" in line for line in process.stdout)
        process.send_signal(number)
        status, answer = asking.result(60)
        output = process.stdout.read()
        assert process.wait(60) == 0
    assert status == 200 and len(answer["actions"]) == 4
    assert "The service has ended." in output and "the run goes on" in output
    assert "1 plans in" in output


def test_a_kill_loses_the_request_at_hand_and_nothing_else() -> None:
    with started() as (_, address):
        before = post(address, asked(episode="first", step=5))
    port = int(address.rpartition(":")[2])
    with started(port, seconds=30) as (process, address), ThreadPoolExecutor(1) as client:
        asking = client.submit(post, address, asked())
        assert process.stdout is not None
        assert any("planning" in line for line in process.stdout)
        process.kill()
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            asking.result(60)
    with started(port) as (_, address):
        after = post(address, asked(episode="first", step=5))
    assert before[0] == after[0] == 200
    assert before[1]["actions"] == after[1]["actions"]


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = ServingConfig.model_validate({"port": port, "vla_eval": {"execute_steps": 1}})
        with pytest.raises(ConfigurationError, match=f":{port} cannot be listened at.*serve_policy"):
            serve_policy(Steady(), "steady", config)


def test_no_more_actions_are_handed_out_than_are_planned() -> None:
    with pytest.raises(ConfigurationError, match="execute_steps is 10, and the policy plans 4"):
        serve_policy(Steady(), "steady", ServingConfig())


def test_a_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDREP_TEST_TOKEN", raising=False)
    assert token_from(None) is None and token_from("VIDREP_TEST_TOKEN") is None
    monkeypatch.setenv("VIDREP_TEST_TOKEN", " 0123456789abcdef\n")
    assert token_from("VIDREP_TEST_TOKEN") == "0123456789abcdef"
    monkeypatch.setenv("VIDREP_TEST_TOKEN", "short")
    with pytest.raises(ConfigurationError, match="VIDREP_TEST_TOKEN has less than 16") as error:
        token_from("VIDREP_TEST_TOKEN")
    assert "short" not in str(error.value)


def test_a_service_that_others_can_reach_without_a_token_is_warned_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIDREP_SERVE_TOKEN", raising=False)
    monkeypatch.setattr("vidrep_pipelines.serving.server.QuietServer.run", lambda *_: None)
    with caplog.at_level(logging.WARNING):
        for host in ("127.0.0.1", "0.0.0.0"):
            parameters = {"host": host, "port": 0, "vla_eval": {"execute_steps": 4}}
            serve_policy(Steady(), "steady", ServingConfig.model_validate(parameters))
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == ["0.0.0.0"]


@pytest.mark.parametrize("local", ["127.0.0.1", "127.3.4.5", "::1", "localhost"])
@pytest.mark.parametrize("far", ["0.0.0.0", "10.0.0.1", "::", "robot"])
def test_which_addresses_are_this_machine_alone(local: str, far: str) -> None:
    assert ServingConfig(host=local).is_local and not ServingConfig(host=far).is_local


def test_a_batch_that_can_never_wait_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"batching\.most is 8.*bounds\.waiting"):
        ServingConfig.model_validate({"bounds": {"waiting": 4}})
