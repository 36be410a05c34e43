from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training.toy_task import TOY_TRAIN, ToyTask, losses, toy_spec
from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig
from vidrep_pipelines.training.errors import NonFiniteLossError
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.precision import (
    autocast,
    gradient_scaler,
    has_bfloat16,
    usable_precision,
)
from vidrep_pipelines.training.sinks import read_log

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


_NO_BFLOAT16 = {"avx2": True, "avx512_f": True, "neon": True}


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16", "bf16", "sve_bf16"])
def test_bfloat16_needs_instructions(monkeypatch: pytest.MonkeyPatch, instructions: str) -> None:
    for present in (True, False):
        capabilities = {**_NO_BFLOAT16, instructions: present}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found, raising=False)
        assert has_bfloat16(_CPU) is present
        assert usable_precision(_CPU, "bf16") == ("bf16" if present else "fp32")
        assert [usable_precision(_CPU, name) for name in ("fp32", "fp16")] == ["fp32", "fp16"]


@pytest.mark.parametrize("supported", [True, False])
def test_older_torch_and_gpus_are_asked_in_their_way(
    monkeypatch: pytest.MonkeyPatch, supported: bool
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    assert has_bfloat16(_CPU) is supported
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert has_bfloat16(torch.device("cuda")) is supported


def test_bf16_without_instructions_trains_in_float32_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The digest is that of the parameters: the same run on another machine."""
    train = TOY_TRAIN.model_copy(update={"precision": "bf16"})
    with monkeypatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", lambda: _NO_BFLOAT16, raising=False)
        without = run_training(toy_spec(tmp_path / "without", train=train))
    plain = run_training(toy_spec(tmp_path / "plain"))
    assert losses(tmp_path / "without") == losses(tmp_path / "plain")
    assert [record.message for record in caplog.records if "precision" in record.message] == [
        "train.precision is bf16, which this cpu has no instructions for: computing in fp32, as emulating it "
        "would take several times as long."
    ]
    assert (without.precision, plain.precision) == ("fp32", "fp32")
    again = run_training(toy_spec(tmp_path / "without", train=train))
    assert (again.status, again.precision) == ("up to date", "fp32")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    native = run_training(toy_spec(tmp_path / "native", train=train))
    assert (native.precision, native.digest) == ("bf16", without.digest)
    assert losses(tmp_path / "native") != losses(tmp_path / "plain")


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
