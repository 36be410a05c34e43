"""Which precisions the benchmark of a training step measures."""

import pytest

from benchmarks import rsp_training_step


@pytest.mark.parametrize(("native", "measured"), [(True, ["fp32", "bf16"]), (False, ["fp32"])])
def test_bfloat16_is_measured_only_where_the_cpu_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], native: bool, measured: list[str]
) -> None:
    monkeypatch.setattr(rsp_training_step, "has_bfloat16", lambda device: native)
    assert rsp_training_step._precisions() == measured
    assert ("rsp_training_step_bf16: not on this CPU" in capsys.readouterr().out) is not native
