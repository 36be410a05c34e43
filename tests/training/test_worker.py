import os
from pathlib import Path

import pytest

from tests.training.toy_task import ToyTask, losses, run_worker, toy_spec
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.worker import INTERRUPTED_EXIT_CODE, main


@pytest.mark.ddp
def test_torchrun_with_two_processes(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    run_training(toy_spec(tmp_path / "alone"))
    finished = run_worker(
        toy_spec(tmp_path), tmp_path, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"
    )
    assert finished.returncode == 0, finished.stderr
    assert "toy: trained" in finished.stderr
    assert "4 per device x 2 devices" in finished.stderr
    assert losses(tmp_path) == pytest.approx(losses(tmp_path / "alone"), abs=1e-5)


def _main(folder: Path, task: ToyTask | None = None) -> int:
    path = folder / "spec.json"
    path.write_text(toy_spec(folder, task).model_dump_json())
    return main([str(path)])


def test_requested_stop_has_its_own_exit_code(tmp_path: Path) -> None:
    assert (
        _main(tmp_path, ToyTask(kill_rank=0, kill_step=2, kill_marker=tmp_path / "x", kill_signal=15)) == 143
    )
    assert INTERRUPTED_EXIT_CODE == 143
    assert _main(tmp_path) == 0


def test_bad_input_ends_with_a_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert _main(tmp_path, ToyTask(items=3)) == 1
    assert "train.batch_size" in caplog.text
    assert main([str(tmp_path / "absent.json")]) == 1
    assert "absent.json cannot be read" in caplog.text
    (tmp_path / "bad.json").write_text("{}")
    assert main([str(tmp_path / "bad.json")]) == 1
    assert "is no training spec" in caplog.text


def test_half_a_launcher_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert _main(tmp_path) == 1
    assert "MASTER_ADDR" in caplog.text and "unset WORLD_SIZE" in caplog.text


def test_restart_by_torchrun_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = toy_spec(tmp_path)
    never = spec.model_copy(update={"train": spec.train.model_copy(update={"resume": "never"})})
    run_training(never)
    (tmp_path / "spec.json").write_text(never.model_dump_json())
    monkeypatch.setattr(ToyTask, "build_model", lambda self: pytest.fail("trained again"))
    monkeypatch.setitem(os.environ, "TORCHELASTIC_RESTART_COUNT", "1")
    assert main([str(tmp_path / "spec.json")]) == 0
