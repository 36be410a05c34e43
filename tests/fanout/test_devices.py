"""Items are dealt to the GPUs in turn, with a worker for each."""

import pytest
import torch

from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import (
    dealt_by_size,
    device_of_item,
    devices_of_machine,
    gpus_to_use,
    limited_to_gpus,
    workers_for_device,
)


def test_items_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [device_of_item("cuda", number) for number in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert [device_of_item("cpu", number) for number in range(2)] == ["cpu", "cpu"]
    assert devices_of_machine("cuda") == ["cuda:0", "cuda:1"] and devices_of_machine("cpu") == ["cpu"]


def test_sized_items_go_where_least_is_to_do() -> None:
    assert dealt_by_size([9, 8, 5, 4, 4, 1], 3) == [0, 1, 2, 2, 1, 0]
    assert dealt_by_size([3, 2, 1], 1) == [0, 0, 0]


@pytest.mark.parametrize(
    ("device", "given", "workers"), [("cuda", None, 3), ("cuda", 5, 5), ("cpu", None, None), ("cpu", 5, 5)]
)
def test_each_gpu_has_a_worker_unless_a_number_is_given(
    monkeypatch: pytest.MonkeyPatch, device: str, given: int | None, workers: int | None
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert workers_for_device(FanOutConfig(workers=given), device).workers == workers


@pytest.mark.parametrize(
    ("device", "given", "workers"), [("auto", None, 6), ("auto", 4, 4), ("auto", 9, 6), ("cpu", 9, 9)]
)
def test_gpus_take_so_many_workers_each_and_no_more(
    monkeypatch: pytest.MonkeyPatch, device: str, given: int | None, workers: int | None
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    gpus = gpus_to_use(device)
    assert gpus == (0 if device == "cpu" else 3)
    assert limited_to_gpus(FanOutConfig(workers=given), gpus, each=2).workers == workers
