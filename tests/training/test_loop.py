import logging
import multiprocessing
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.training.toy_task import IN_PROCESS, TOY_TRAIN, ToyTask, losses, run_worker, toy_spec
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, ProbeSpec, TrainConfig
from vidrep_pipelines.training.errors import NonFiniteLossError, TrainingInterrupted
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.order import DataOrder, ItemKey
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.sinks import read_rows


def _changed(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({**TOY_TRAIN.model_dump(), **changes})


def test_a_run_learns_and_leaves_everything_behind(tmp_path: Path) -> None:
    result = run_training(toy_spec(tmp_path, train=_changed(steps=60, keep_every=5)))
    assert (result.status, result.step, result.resumed_from) == ("trained", 60, 0)
    assert result.last["train/loss"] < 0.5 * result.first["train/loss"]
    assert sorted(file.name for file in result.checkpoint.iterdir()) == [
        "model.safetensors",
        "optimizer.pt",
        "state.json",
    ]
    assert set(load_file(result.checkpoint / "model.safetensors")) == set(
        ToyTask().build_model().state_dict()
    )
    assert [report.read_text().split()[0] for report in result.reports] == ["False"] * 15
    kept = sorted(path.name for path in result.checkpoint.parent.iterdir())
    assert kept == [f"step-{step:08d}" for step in (20, 40, 56, 60)]  # every fifth, and the last two


def test_second_run_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = run_training(toy_spec(tmp_path))
    monkeypatch.setattr(ToyTask, "build_model", lambda self: pytest.fail("built a model"))
    monkeypatch.setattr(ToyTask, "build_dataset", lambda self: pytest.fail("built a data set"))
    with caplog.at_level(logging.INFO):
        second = run_training(toy_spec(tmp_path, launch=LaunchConfig(device="cpu", device_batch_size=2)))
    assert second == first.model_copy(update={"status": "up to date", "resumed_from": 12})
    assert "up to date" in caplog.text


def test_changed_parameter_trains_anew_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = run_training(toy_spec(tmp_path))
    with caplog.at_level(logging.INFO):
        second = run_training(toy_spec(tmp_path, train=_changed(seed=4)))
    assert "train.seed: 3 -> 4" in caplog.text
    assert second.status == "trained"
    assert second.digest != first.digest
    kept = tmp_path / "previous" / first.digest
    assert (kept / "checkpoints" / "step-00000012" / "model.safetensors").is_file()
    assert (kept / "train_log.jsonl").is_file()
    assert len(list((kept / "reports").iterdir())) == 3
    assert len(losses(tmp_path)) == 12
    third = run_training(toy_spec(tmp_path, task=ToyTask(width=4)))
    assert {path.name for path in (tmp_path / "previous").iterdir()} == {first.digest, second.digest}
    assert third.status == "trained"


def test_resume_never_starts_from_scratch(tmp_path: Path) -> None:
    run_training(toy_spec(tmp_path))
    before = losses(tmp_path)
    again = run_training(toy_spec(tmp_path, train=_changed(resume="never")))
    assert (again.status, again.resumed_from) == ("trained", 0)
    assert losses(tmp_path) == before


@pytest.mark.parametrize("kill_step", [2, 7])
def test_killed_run_continues_bitwise(tmp_path: Path, kill_step: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    broken.mkdir()
    train = _changed(ema_decay=0.9, clip_gradient_norm=1.0)
    launch = LaunchConfig(device="cpu", loader_workers=0, threads_per_process=1)
    with_workers = launch.model_copy(update={"loader_workers": 2})
    run_training(toy_spec(whole, ToyTask(dropout=0.3), train, with_workers))
    victim = ToyTask(dropout=0.3, kill_rank=0, kill_step=kill_step, kill_marker=broken / "killed")
    assert run_worker(toy_spec(broken, victim, train, launch), broken).returncode == -9
    result = run_training(toy_spec(broken, ToyTask(dropout=0.3), train, launch))
    assert result.resumed_from == kill_step // 4 * 4
    assert losses(broken) == losses(whole)
    for file in ("model.safetensors", "ema.safetensors"):
        ours, theirs = (load_file(f / "run/checkpoints/step-00000012" / file) for f in (broken, whole))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_sigterm_saves_and_stops(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    broken.mkdir()
    run_training(toy_spec(whole))
    victim = ToyTask(kill_rank=0, kill_step=5, kill_marker=broken / "killed", kill_signal=15)
    with pytest.raises(TrainingInterrupted, match=r"SIGTERM after update 6; .*step-00000006 is saved"):
        run_training(toy_spec(broken, victim))
    assert run_training(toy_spec(broken)).resumed_from == 6
    assert losses(broken) == losses(whole)


def test_accumulation_changes_nothing(tmp_path: Path) -> None:
    run_training(toy_spec(tmp_path / "whole"))
    for most in (2, 3):  # of 8: parts of 2, or of 3, 3 and 2
        launch = LaunchConfig(device="cpu", loader_workers=0, device_batch_size=most)
        result = run_training(toy_spec(tmp_path / f"{most}", launch=launch))
        assert losses(tmp_path / f"{most}") == pytest.approx(losses(tmp_path / "whole"), abs=1e-5)
        whole = load_file(tmp_path / "whole/run/checkpoints/step-00000012/model.safetensors")
        parts = load_file(result.checkpoint / "model.safetensors")
        assert all(torch.allclose(parts[name], whole[name], atol=1e-6) for name in whole)


def test_the_gradients_of_batches_may_be_summed(tmp_path: Path) -> None:
    """As published for VOC: twice the mean, which SGD takes twice as far."""
    plain, summed = (
        _changed(steps=1, summed_batches=count, optimizer=OptimizerConfig(name="sgd", warmup_steps=0))
        for count in (1, 2)
    )
    norms = []
    for name, train in (("mean", plain), ("sum", summed)):
        (row,) = read_rows(run_training(toy_spec(tmp_path / name, train=train)).log)
        norms.append((row["train/loss"], row["optimizer/gradient_norm"]))
    assert norms[0][0] == norms[1][0] and norms[1][1] == pytest.approx(2 * norms[0][1])
    assert "summed_batches" not in plain.identity() and summed.identity()["summed_batches"] == 2
    assert "schedule_steps" not in plain.identity()["optimizer"]


def test_pictures_do_not_disturb_training(tmp_path: Path) -> None:
    often, once = _changed(checkpoint_every_steps=1), _changed(checkpoint_every_steps=12)
    run_training(toy_spec(tmp_path / "often", ToyTask(dropout=0.3), often))
    run_training(toy_spec(tmp_path / "once", ToyTask(dropout=0.3), once))
    assert losses(tmp_path / "often") == losses(tmp_path / "once")


def test_the_callers_random_state_stays(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    run_training(toy_spec(tmp_path))
    assert torch.equal(torch.rand(2), expected)


def test_missing_last_pictures_are_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(OSError, match="lost"):
        patch.setattr(RunDirectory, "write_result", _raise_lost)
        run_training(toy_spec(tmp_path))
    (tmp_path / "reports" / "toy-0012.txt").unlink()
    result = run_training(toy_spec(tmp_path))
    assert (result.status, result.resumed_from) == ("resumed", 12)
    assert (tmp_path / "reports" / "toy-0012.txt").is_file()


def test_missing_pictures_of_a_middle_checkpoint_are_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = _changed(checkpoint_every_steps=4)
    run_training(toy_spec(tmp_path / "quiet", train=train))
    with monkeypatch.context() as patch, pytest.raises(OSError, match="lost"):
        patch.setattr(ToyTask, "on_checkpoint", _raise_lost)
        run_training(toy_spec(tmp_path / "killed", train=train))
    result = run_training(toy_spec(tmp_path / "killed", train=train))
    assert result.resumed_from == 4
    shown = [
        {p.name: p.read_text() for p in (tmp_path / run / "reports").iterdir()} for run in ("quiet", "killed")
    ]
    assert sorted(shown[0]) == ["toy-0004.txt", "toy-0008.txt", "toy-0012.txt"]
    assert shown[1] == shown[0]


def test_a_run_that_was_stopped_between_checkpoints_shows_what_a_quiet_one_shows(tmp_path: Path) -> None:
    train = _changed(checkpoint_every_steps=4)
    task = ToyTask(kill_rank=0, kill_step=5, kill_marker=tmp_path / "killed", kill_signal=15)
    with pytest.raises(TrainingInterrupted, match="after update 6"):
        run_training(toy_spec(tmp_path, task, train))
    assert run_training(toy_spec(tmp_path, task, train)).resumed_from == 6
    names = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert names == ["toy-0004.txt", "toy-0008.txt", "toy-0012.txt"]


def _raise_lost(*arguments: object) -> None:
    raise OSError("lost")


def test_non_finite_loss_names_the_items(tmp_path: Path) -> None:
    task, launch = ToyTask(bad_item=17), LaunchConfig(device="cpu", loader_workers=0, device_batch_size=1)
    train = _changed(checkpoint_every_steps=1)
    with pytest.raises(NonFiniteLossError, match=r"loss is not finite in update \d+.* batch: clip_017\. "):
        run_training(toy_spec(tmp_path, task, train, launch))
    saved = list((tmp_path / "run" / "checkpoints").glob("*/model.safetensors"))
    assert saved
    for state in saved:
        assert all(torch.isfinite(value).all() for value in load_file(state).values())


def test_non_finite_gradient_is_not_applied(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="gradient is not finite in update 1,"):
        run_training(toy_spec(tmp_path, ToyTask(endless_gradient=True)))


def test_bf16_learns(tmp_path: Path) -> None:
    result = run_training(toy_spec(tmp_path, train=_changed(precision="bf16", steps=40)))
    assert result.last["train/loss"] < 0.5 * result.first["train/loss"]


def test_moving_average_follows_the_weights(tmp_path: Path) -> None:
    train = _changed(ema_decay=0.5, checkpoint_every_steps=1, keep_checkpoints=50)
    folder = run_training(toy_spec(tmp_path, train=train)).checkpoint.parent
    average = load_file(folder / "step-00000001" / "ema.safetensors")["first.weight"]
    for step in range(2, 13):
        weights = load_file(folder / f"step-{step:08d}" / "model.safetensors")["first.weight"]
        average = 0.5 * average + 0.5 * weights
        stored = load_file(folder / f"step-{step:08d}" / "ema.safetensors")["first.weight"]
        torch.testing.assert_close(stored, average)


def test_clipping_limits_the_first_step(tmp_path: Path) -> None:
    fast = OptimizerConfig(learning_rate=0.1, warmup_steps=0, eps=1.0, weight_decay=0.0)
    moved = []
    for name, clip in (("free", None), ("clipped", 1e-3)):
        train = _changed(optimizer=fast, steps=1, clip_gradient_norm=clip)
        checkpoint = run_training(toy_spec(tmp_path / name, train=train)).checkpoint
        moved.append(load_file(checkpoint / "model.safetensors")["first.weight"])
    unmoved = _changed(optimizer=fast.model_copy(update={"learning_rate": 1e-30}), steps=1)
    start = load_file(
        run_training(toy_spec(tmp_path / "start", train=unmoved)).checkpoint / "model.safetensors"
    )
    free, clipped = ((weights - start["first.weight"]).abs().max() for weights in moved)
    assert 0 < clipped < 1e-3 < free


def test_variables_of_another_launcher_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "nowhere", "MASTER_PORT": "1"}
    for name, value in {**foreign, "RANK": "3", "LOCAL_RANK": "3"}.items():
        monkeypatch.setenv(name, value)
    assert run_training(toy_spec(tmp_path)).status == "trained"


def test_an_error_in_a_loader_worker_comes_through(tmp_path: Path) -> None:
    launch = LaunchConfig(device="cpu", loader_workers=2)
    with pytest.raises(InputError, match=r"^clip_017 cannot be read\.$"):
        run_training(toy_spec(tmp_path, ToyTask(broken_item=17), launch=launch))
    assert not multiprocessing.active_children()


def test_small_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"5 items, fewer than train\.batch_size = 8"):
        run_training(toy_spec(tmp_path, ToyTask(items=5)))


def test_unknown_task_is_refused(tmp_path: Path) -> None:
    spec = toy_spec(tmp_path)
    for update in (
        {"task": "no.such:Thing"},
        {"task": "vidrep_pipelines:Nothing"},
        {"task_config": {"itmes": 3}},
    ):
        with pytest.raises(ConfigurationError, match="task"):
            run_training(spec.model_copy(update=update))


@pytest.mark.parametrize("field", ["task", "probe"])
def test_a_specification_imports_nothing_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """It is a file that may come from anybody, and importing a module runs it."""
    (tmp_path / "elsewhere.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\nclass Task: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = toy_spec(tmp_path)
    probe = ProbeSpec(probe="elsewhere:Task", config={}, every=1)
    update: dict[str, Any] = {"task": "elsewhere:Task"} if field == "task" else {"probe": probe}
    with pytest.raises(ConfigurationError, match=f"spec.{field} names 'elsewhere'.*VIDREP_TASK_PACKAGES"):
        run_training(spec.model_copy(update=update))
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    "where",
    [
        "tests.training.toy_task:run_worker",
        "tests.training.toy_task:ToyModel",
        "tests.conftest:os",
        "vidrep_pipelines.training.config:LaunchConfig",
        "vidrep_pipelines_elsewhere:Task",
        ":Task",
        "tests",
    ],
)
def test_only_tasks_are_taken(tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigurationError, match=r"spec\.task"):
        run_training(toy_spec(tmp_path).model_copy(update={"task": where}))


def test_missing_cuda_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=r"launch\.device is cuda"):
        run_training(toy_spec(tmp_path, launch=LaunchConfig(device="cuda")))


def test_too_little_device_memory_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(ToyTask, "loss", exhausted)
    with pytest.raises(ConfigurationError, match=r"launch\.device_batch_size"):
        run_training(toy_spec(tmp_path, launch=IN_PROCESS))


class ShowingToyTask(ToyTask):
    """Notes what it is shown before it is trained."""

    def before_training(
        self, model: nn.Module, items: Sequence[ItemKey], train: TrainConfig, directory: Path
    ) -> list[Path]:
        torch.rand(3)  # must not disturb training
        path = directory / "first_batch.txt"
        path.write_text(f"{path.read_text() if path.exists() else ''}{list(items)} {train.batch_size}\n")
        return [path]


def test_the_first_batch_is_shown_once_and_belongs_to_the_run(tmp_path: Path) -> None:
    launch = LaunchConfig(device="cpu", device_batch_size=2, loader_workers=0)
    result = run_training(toy_spec(tmp_path, ShowingToyTask(dropout=0.2), launch=launch))
    first = tmp_path / "reports" / "first_batch.txt"
    expected = DataOrder(40, TOY_TRAIN.batch_size, TOY_TRAIN.seed).batch(0)[1][:2]
    assert first.read_text() == f"{[(0, int(index)) for index in expected]} {TOY_TRAIN.batch_size}\n"
    assert first in result.reports
    run_training(toy_spec(tmp_path / "plain", ToyTask(dropout=0.2), launch=launch))
    assert losses(tmp_path) == losses(tmp_path / "plain")


def test_a_run_that_is_continued_shows_no_first_batch(tmp_path: Path) -> None:
    spec = toy_spec(tmp_path, ShowingToyTask())
    first = tmp_path / "reports" / "first_batch.txt"
    run_training(spec)
    (tmp_path / "run" / "result.json").unlink()
    latest = max((tmp_path / "run" / "checkpoints").iterdir())
    shutil.rmtree(latest)
    assert run_training(spec).resumed_from > 0
    assert len(first.read_text().splitlines()) == 1
