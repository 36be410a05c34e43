from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.rollouts import LineWorld, Steady, reach
from tests.helpers.stores import SERIAL
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy
from vidrep_pipelines.evaluation.rollouts.rollout_job import (
    RolloutCondition,
    rollout_job,
    rows_of_rollouts,
)
from vidrep_pipelines.fanout.runner import run_job


@dataclass(frozen=True)
class LineMaker:
    length: int = 1
    renderer: str = "line"

    @property
    def identity(self) -> dict[str, Any]:
        return {"length": self.length}

    def make(self) -> LineWorld:
        return LineWorld()


@dataclass(frozen=True)
class SteadyMaker:
    broken: bool = False

    @property
    def identity(self) -> dict[str, Any]:
        return {"policy": "steady"}

    def make(self) -> ChunkPolicy:
        if self.broken:
            raise InputError("no weights")
        return Steady()


STARTS = tuple(reach(goal, str(goal)) for goal in (2, 6, 10, 30))
WALKS = RolloutCondition(
    "walks", LineMaker(), SteadyMaker(), STARTS, RolloutConfig(execute_steps=2, most_steps=12)
)
STANDS = replace(WALKS, name="stands", policy=StillMaker((0.0,), 2))


def test_rows_of_all_conditions(tmp_path: Path) -> None:
    parts = run_job(rollout_job([WALKS, STANDS], 3, 2, SERIAL), tmp_path)
    assert parts.ids == ["walks/00000-00002", "walks/00003-00003", "stands/00000-00002", "stands/00003-00003"]
    rows = rows_of_rollouts(parts)
    assert list(rows["condition"]) == ["walks"] * 4 + ["stands"] * 4
    assert list(rows["success"]) == [True, True, True, False] + [False] * 4
    assert list(rows["episode"][:4]) == [start.name for start in STARTS]


def test_what_is_done_is_kept_and_what_changed_is_redone(tmp_path: Path) -> None:
    run_job(rollout_job([WALKS], 2, 2, SERIAL), tmp_path)
    kept = tmp_path / "walks/00000-00001.parquet"
    before = kept.stat().st_mtime_ns
    run_job(rollout_job([WALKS, STANDS], 2, 1, SERIAL), tmp_path)
    assert kept.stat().st_mtime_ns == before, "how many run together changes nothing"
    run_job(rollout_job([replace(WALKS, environment=LineMaker(2))], 2, 2, SERIAL), tmp_path)
    assert kept.stat().st_mtime_ns > before


def test_settings_change_with_all_that_counts() -> None:
    others = [WALKS, STANDS, replace(WALKS, config=RolloutConfig(execute_steps=1, most_steps=12))]
    assert len({str(condition.settings) for condition in others}) == 3


def test_blocks_that_failed_are_named(tmp_path: Path) -> None:
    broken = replace(WALKS, policy=SteadyMaker(broken=True))
    parts = run_job(rollout_job([broken], 2, 2, SERIAL), tmp_path)
    with pytest.raises(InputError, match=r"2 blocks.*walks/00000-00001.*no weights.*retry_failed"):
        rows_of_rollouts(parts)
