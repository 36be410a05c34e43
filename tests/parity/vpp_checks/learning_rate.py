"""``lr.npz``: the rate after so many calls of the scheduler, for every recorded configuration.

The first call sets the rate of no update done. Before it, the optimizer has the peak, which it was made with;
ours asks the schedule for the first update, too.
"""

import ast
import json
from pathlib import Path

import numpy as np

from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig, TriStageConfig
from vidrep_pipelines.training.schedule import plan_schedule


def check(folder: Path) -> None:
    """Every recorded rate."""
    arrays = np.load(folder / "lr.npz")
    for index, recorded in enumerate(json.loads((folder / "lr_configs.json").read_text())):
        stages = TriStageConfig(
            shares=ast.literal_eval(recorded["phase_ratio"]),
            start_factor=recorded["init_lr_scale"],
            end_factor=recorded["final_lr_scale"],
        )
        optimizer = OptimizerConfig(
            learning_rate=recorded["lr"], schedule="tri_stage", tri_stage=stages, betas=(0.9, 0.9)
        )
        train = TrainConfig(steps=recorded["total_steps"], batch_size=1, optimizer=optimizer)
        schedule = plan_schedule(train, items=1, samples_per_item=1)
        calls, rates = arrays[f"case{index}_calls"], arrays[f"case{index}_lr"]
        assert len(calls) == len(rates) > 0
        for call, rate in zip(calls.tolist(), rates.tolist(), strict=True):
            found = schedule.learning_rate(call - 1) if call else recorded["lr"]
            np.testing.assert_allclose(found, rate, rtol=1e-6, atol=1e-15, err_msg=f"call {call}")
