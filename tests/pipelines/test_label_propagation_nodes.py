import logging
from collections import Counter

import pandas as pd
import pytest
import torch

from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.pipelines.downstream_eval.label_propagation_nodes import propagate_labels
from vidrep_pipelines.training import precision


@pytest.mark.parametrize(
    ("wanted", "present", "lines"), [("bf16", False, 1), ("bf16", True, 0), ("fp32", False, 0)]
)
def test_bfloat16_that_is_not_used_is_said_once_and_makes_no_other_result(
    wanted: str, present: bool, lines: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: present)
    config = LabelPropagationConfig.model_validate({"task": "davis", "precision": wanted, "device": "cpu"})
    row = {"frames": 9, "frame_folder": "f", "label_path": "l", "digest": "1", "error": None}
    sequences = pd.DataFrame([{"id": "a", **row}, {"id": "b", **row}])
    encoder = {"name": "pixels", "digest": "3", "config": {"kind": "pixels"}}
    with caplog.at_level(logging.WARNING):
        job = propagate_labels(sequences, [encoder], config, FanOutConfig(engine="serial"))
    assert len(job.items) == 2
    said = "eval_davis.precision is bf16, which this cpu has no instructions for: computing in fp32"
    assert caplog.text.count(said) == lines == len(caplog.records)


def test_gpus_get_about_as_many_frames_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    row = {"frame_folder": "f", "label_path": "l", "digest": "1", "error": None}
    lengths = {"a": 40, "b": 90, "c": 50, "d": 80, "e": 40, "f": 10}
    sequences = pd.DataFrame([{"id": name, "frames": frames, **row} for name, frames in lengths.items()])
    encoders = [{"name": name, "digest": "3", "config": {"kind": "pixels"}} for name in ("one", "two")]
    job = propagate_labels(
        sequences, encoders, LabelPropagationConfig(task="davis"), FanOutConfig(engine="serial")
    )
    items = list(job.items)
    assert [item.id for item in items[:3]] == ["one/b", "one/d", "one/c"]
    loads = Counter[int]()
    for item in items:
        loads[item.payload.gpu] += lengths[item.payload.row["id"]]
    assert max(loads.values()) - min(loads.values()) <= 40
    assert sum(loads.values()) == 2 * sum(lengths.values()) and len(loads) == 3
