"""Every system goes on with another number of processes than it was killed with, and computes the same."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.mortal_task import Killed, MortalTask
from tests.models.every_system import SYSTEMS
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.errors import TrainingFailedError
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.sinks import read_rows

DEATHS = {2: 3, 1: 5}
"""Two processes reach 3 updates, of which 2 are saved; then one reaches 5, of which 4 are saved."""


def spec_of(task: Any, folder: Path, processes: int, deaths: dict[int, int]) -> TrainSpec:
    # The default eps turns the rounding noise of gradients that are zero (key biases) into whole steps.
    optimizer = OptimizerConfig(learning_rate=1e-3, warmup_steps=1, eps=1e-5)
    return TrainSpec.of(
        MortalTask.of(task, deaths),
        train=TrainConfig(
            steps=6,
            batch_size=5,  # parts of 3 and 2, or of 2, 2 and 1
            seed=3,
            checkpoint_every_steps=2,
            synchronized_batch_norm=True,
            optimizer=optimizer,
        ),
        launch=LaunchConfig(
            processes=processes, device="cpu", loader_workers=0, threads_per_process=1, retries=0
        ),
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def losses(folder: Path) -> list[float]:
    rows = read_rows(folder / "run" / "train_log.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    return [row["train/loss"] for row in rows]


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize("system", SYSTEMS)
def test_two_then_one_then_three_processes_compute_what_one_does(system: str, tmp_path: Path) -> None:
    data, alone, broken = tmp_path / "data", tmp_path / "alone", tmp_path / "broken"
    data.mkdir()
    task = SYSTEMS[system](data)
    run_training(spec_of(task, alone, 1, deaths={}))
    with pytest.raises(TrainingFailedError, match=r"killed by SIGKILL.*; 2 updates are saved"):
        launch(spec_of(task, broken, processes=2, deaths=DEATHS))
    with pytest.raises(Killed):
        launch(spec_of(task, broken, processes=1, deaths=DEATHS))
    result = launch(spec_of(task, broken, processes=3, deaths=DEATHS))
    assert (result.status, result.resumed_from) == ("resumed", 4)
    assert losses(broken) == pytest.approx(losses(alone), abs=1e-5)
