from pathlib import Path

import pytest
import torch
from torch import nn

from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig
from vidrep_pipelines.training.errors import NonFiniteLossError
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.precision import autocast, gradient_scaler
from vidrep_pipelines.training.sinks import read_log

from .toy_task import ToyTask, toy_spec

_CPU = torch.device("cpu")
_FP16 = TrainConfig(
    steps=40, batch_size=8, precision="fp16", optimizer=OptimizerConfig(learning_rate=0.05, warmup_steps=2)
)


@pytest.mark.parametrize(
    ("precision", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_forward_pass_type(precision: str, expected: torch.dtype) -> None:
    with autocast(_CPU, precision):  # type: ignore[arg-type]
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == expected
    assert gradient_scaler(_CPU, precision).is_enabled() == (precision == "fp16")  # type: ignore[arg-type]


def test_fp16_learns(tmp_path: Path) -> None:
    result = run_training(toy_spec(tmp_path, train=_FP16))
    assert result.last["train/loss"] < 0.5 * result.first["train/loss"]


def test_fp16_overflow_skips_updates_until_the_scale_fits(tmp_path: Path) -> None:
    result = run_training(toy_spec(tmp_path, ToyTask(loss_scale=1e3), train=_FP16))
    skipped = read_log(result.log)["optimizer/skipped"]
    assert skipped.iloc[0] == 1
    assert 0 < skipped.sum() < 30
    assert skipped.iloc[-1] == 0
    assert result.last["train/loss"] < 0.5 * result.first["train/loss"]


def test_fp16_that_always_overflows_stops(tmp_path: Path) -> None:
    hopeless = ToyTask(loss_scale=1e35)
    with pytest.raises(NonFiniteLossError, match="every loss scale"):
        run_training(toy_spec(tmp_path, hopeless, train=_FP16.model_copy(update={"steps": 100})))
