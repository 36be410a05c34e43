"""Items are dealt to the GPUs in turn."""

import pytest
import torch

from vidrep_pipelines.training.distributed import device_of_item


def test_items_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [device_of_item("cuda", number) for number in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert [device_of_item("cpu", number) for number in range(2)] == ["cpu", "cpu"]
