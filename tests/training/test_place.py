import os
import socket
from pathlib import Path

import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.place import ALONE, Place

TORCHRUN = {
    "RANK": "5",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "8",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}


def test_torchrun_gives_a_place() -> None:
    place = Place.from_environment(TORCHRUN)
    assert (place.rank, place.local_rank, place.world_size, place.local_world_size) == (5, 1, 8, 4)
    assert place.meeting_point == "env://"


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "1"}, {"RANK": "3", "MASTER_ADDR": "node"}])
def test_without_others_there_is_nobody_to_meet(environment: dict[str, str]) -> None:
    assert Place.from_environment(environment) == ALONE == Place()


@pytest.mark.parametrize("name", sorted(TORCHRUN.keys() - {"WORLD_SIZE"}))
def test_a_missing_variable_is_named(name: str) -> None:
    environment = {key: value for key, value in TORCHRUN.items() if key != name}
    with pytest.raises(ConfigurationError, match=rf"WORLD_SIZE=8, but {name} missing\. Start .* torchrun"):
        Place.from_environment(environment)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be numbers"):
        Place.from_environment({**TORCHRUN, "RANK": "first"})


def test_a_place_on_this_machine_replaces_that_of_another_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TORCHRUN, "TORCHELASTIC_RUN_ID": "other", "GLOO_SOCKET_IFNAME": "eth7"}.items():
        monkeypatch.setenv(name, value)
    place = Place.on_this_machine(1, 3, Path("/private"))
    place.take()
    expected = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3"}
    assert {name: os.environ[name] for name in expected} == expected
    assert os.environ.keys().isdisjoint({"MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"})
    assert place.meeting_point == "file:///private/meeting_point"
    assert os.environ["GLOO_SOCKET_IFNAME"] in {name for _, name in socket.if_nameindex()} & {"lo", "lo0"}
    assert os.environ["NCCL_SOCKET_IFNAME"] == f"={os.environ['GLOO_SOCKET_IFNAME']}"
