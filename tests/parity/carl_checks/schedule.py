"""Learning rates per epoch against recorded ones."""

import json
from typing import Any

import numpy as np

from tests.parity.discovery import Case
from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig
from vidrep_pipelines.training.schedule import plan_schedule

_ITEMS = 3


def _optimizer(recorded: dict[str, Any]) -> OptimizerConfig:
    warms_up = recorded["decay"] == "cosinewarmup"
    return OptimizerConfig(
        learning_rate=recorded["initial_lr"],
        minimum_learning_rate=recorded["final_lr"] if warms_up else 0.0,
        schedule="constant" if recorded["decay"] == "fixed" else "cosine",
        rate_changes="every_epoch",
        warmup_epochs=recorded["warmup_steps"] if warms_up else 0,
        warmup_learning_rate=recorded["warmup_lr"] if warms_up else 0.0,
    )


def check_schedule(case: Case) -> None:
    with np.load(case.folder / "lr.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for recorded in json.loads((case.folder / "lr.json").read_text()):
        train = TrainConfig(epochs=recorded["max_epochs"], batch_size=1, optimizer=_optimizer(recorded))
        schedule = plan_schedule(train, items=_ITEMS, samples_per_item=1)
        expected = np.repeat(arrays[f"{recorded['case']}_lr"], _ITEMS)
        found = [schedule.learning_rate(step) for step in range(schedule.steps)]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * recorded["initial_lr"])


SCHEDULE_CHECKS = (check_schedule,)
