from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.rollouts import LineWorld, Noisy, Steady, reach, rules
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.rollouts.engine import RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.protocol import ImaginesVideo, PlanRequest
from vidrep_pipelines.evaluation.rollouts.recording import (
    AttemptRecorder,
    RecordedAttempt,
    load_attempts,
    save_attempts,
)


class Imaginative(Noisy):
    """Imagines videos of three frames, as bright as its step."""

    def imagine(self, requests: Sequence[PlanRequest]) -> Pixels:
        return np.stack([np.full((3, 4, 6, 3), request.step, np.uint8) for request in requests])


def recorded(policy: Noisy | Steady, render: str = "always", batch: int = 2) -> list[RecordedAttempt]:
    recorder = AttemptRecorder(policy)
    config = rules(execute_steps=3, most_steps=20, render=render).config
    watched = RolloutRules(config, "settings", recorder.observe)
    starts = [reach(goal, f"{goal}") for goal in (4, 7, 90)]
    records = roll_out_episodes(starts, LineWorld, recorder, watched, batch=batch)
    return [recorder.taken(record) for record in records]


def test_an_attempt_is_kept_whole() -> None:
    attempts = recorded(Noisy())
    plain = roll_out_episodes(
        [reach(goal, f"{goal}") for goal in (4, 7, 90)],
        LineWorld,
        Noisy(),
        rules(execute_steps=3, most_steps=20),
        batch=1,
    )
    assert [attempt.record for attempt in attempts] == plain  # recording changes nothing
    for attempt in attempts:
        steps = attempt.record.steps
        assert attempt.pictures["front"].shape == (steps + 1, 2, 2, 3)
        assert attempt.actions.shape == (steps, 1) and attempt.states.shape == (steps + 1, 1)
        # The world adds its actions up, so that states tell which were executed.
        np.testing.assert_allclose(np.diff(attempt.states[:, 0]), attempt.actions[:, 0])
        assert not attempt.imagined


def test_what_a_policy_imagines_is_asked_at_every_plan() -> None:
    assert isinstance(Imaginative(), ImaginesVideo) and not isinstance(Noisy(), ImaginesVideo)
    for attempt in recorded(Imaginative()):
        assert sorted(attempt.imagined) == list(range(0, attempt.record.steps, 3))
        assert all((video == step).all() for step, video in attempt.imagined.items())


def test_attempts_are_the_same_after_they_were_written(tmp_path: Path) -> None:
    attempts = recorded(Imaginative())
    save_attempts(tmp_path / "a.npz", attempts)
    for own, read in zip(attempts, load_attempts(tmp_path / "a.npz"), strict=True):
        assert read.record == own.record and read.pictures.keys() == own.pictures.keys()
        np.testing.assert_array_equal(read.pictures["front"], own.pictures["front"])
        np.testing.assert_array_equal(read.states, own.states)
        np.testing.assert_array_equal(read.actions, own.actions)
        assert {step: video.tolist() for step, video in read.imagined.items()} == {
            step: video.tolist() for step, video in own.imagined.items()
        }


def test_success_that_numpy_tells_can_be_written(tmp_path: Path) -> None:
    class Told(LineWorld):
        def succeeded(self) -> bool:
            return np.bool_(super().succeeded())  # type: ignore[return-value]

    recorder = AttemptRecorder(Steady())
    watched = RolloutRules(rules(render="always").config, "settings", recorder.observe)
    [record] = roll_out_episodes([reach(4)], Told, recorder, watched, batch=1)
    assert record.success is True
    save_attempts(tmp_path / "a.npz", [recorder.taken(record)])
    assert load_attempts(tmp_path / "a.npz")[0].record == record


def test_an_attempt_that_was_not_rendered_at_every_step_cannot_be_kept() -> None:
    with pytest.raises(ConfigurationError, match=r"4: 3 of 5 steps .*render: always"):
        recorded(Steady(), render="when_planning")


def test_damaged_files_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="holds no recorded attempts"):
        load_attempts(path)
    np.savez(path, records=np.array("[{}]"))
    with pytest.raises(InputError, match="holds no recorded attempts"):
        load_attempts(path)
    np.savez(path, records=np.array(["[]"], object))
    with pytest.raises(InputError, match="holds no recorded attempts"):
        load_attempts(path)
