from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.calvin_world import UnwillingMaker
from tests.helpers.stores import SERIAL
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.decode import count_frames
from vidrep_pipelines.evaluation.calvin.config import CalvinEvaluationConfig, CalvinRecordingConfig
from vidrep_pipelines.evaluation.calvin.contenders import Contender
from vidrep_pipelines.evaluation.calvin.evaluation_job import calvin_job, rows_of_evaluation
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureMaker
from vidrep_pipelines.evaluation.calvin.recording_job import export_recordings, recording_job
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.recording import load_attempts
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import run_job

CONFIG = CalvinEvaluationConfig(sequences=3, block=3, rollout=RolloutConfig(most_steps=60))
CONTENDER = Contender("unwilling", (UnwillingMaker(("open_drawer", "turn_on_led")),), CONFIG, 3)
RECORDING = CalvinRecordingConfig(sequences=2, panel=32, frames_per_second=10)


def job(*, keep: bool = True, **changes: Any) -> Job:
    recording = RECORDING.model_copy(update=changes)
    return recording_job(MiniatureMaker(), CONTENDER, recording, SERIAL, keep=keep)


def test_recorded_attempts_are_those_that_were_evaluated(tmp_path: Path) -> None:
    parts = run_job(job(), tmp_path / "films")
    assert parts.ids == ["unwilling/0000", "unwilling/0001"]
    rows = rows_of_evaluation(run_job(calvin_job(MiniatureMaker(), [CONTENDER], SERIAL), tmp_path / "rows"))
    for number, name in enumerate(parts.ids):
        attempts = load_attempts(parts.path(name, ".npz"))
        own = rows[rows["sequence"] == number]
        assert [attempt.record.episode for attempt in attempts] == own["episode"].tolist()
        assert [attempt.record.success for attempt in attempts] == own["success"].tolist()
        assert [attempt.record.steps for attempt in attempts] == own["steps"].tolist()
        frames = sum(attempt.record.steps + 1 + 5 for attempt in attempts)
        fact = parts.table.set_index("id").loc[name]
        assert count_frames(parts.path(name, ".mp4")) == frames == fact["frames"]
        assert fact["completed"] == own["success"].sum() and fact["tasks"] == own.iloc[0]["tasks"]


def test_attempts_are_kept_only_where_that_is_asked_for() -> None:
    assert job(keep=False).suffixes == (".mp4",)
    assert job(keep=False).items[0].digest != job().items[0].digest


def test_a_film_changes_with_how_it_is_shown_and_not_with_how_many_there_are() -> None:
    own = job().items[0].digest
    assert job(sequences=1).items[0].digest == own and len(job(sequences=9).items) == 3
    assert len({own, job(panel=64).items[0].digest, job(frames_per_second=5).items[0].digest}) == 3
    assert not job(sequences=0).items


def test_environments_are_closed_when_a_policy_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    monkeypatch.setattr(
        "vidrep_pipelines.evaluation.calvin.miniature.MiniatureWorld.close", lambda _: closed.append(True)
    )

    @dataclass(frozen=True)
    class Short(UnwillingMaker):
        def make(self) -> Any:
            return type("Short", (), {"chunk_length": 1})()

    failing = Contender("short", (Short(),), CONFIG, 3)
    parts = run_job(recording_job(MiniatureMaker(), failing, RECORDING, SERIAL, keep=False), tmp_path)
    assert len(parts.failed) == 2 and "execute_steps" in parts.failed.iloc[0]["error"]
    assert closed == [True, True]
    with pytest.raises(InputError, match=r"2 sequences were not recorded; short/0000: execute_steps"):
        export_recordings(parts, tmp_path / "out", 30)
