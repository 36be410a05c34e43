from pathlib import Path

import numpy as np
import pytest

from tests.helpers.calvin import write_annotations
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sources.calvin.listing import list_calvin_episodes
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureMaker, MiniatureWorld
from vidrep_pipelines.evaluation.calvin.recordings import expert_recordings, recordings_from_files
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task
from vidrep_pipelines.evaluation.calvin.world import CalvinEnvironment, tasks_from_initial_states
from vidrep_pipelines.evaluation.rollouts.replay import require_replay


def write_recording(folder: Path, task: str, annotated: str) -> list:
    """The expert doing a task, as CALVIN's files."""
    [recorded] = expert_recordings([calvin_task(task)]).episodes
    world = MiniatureWorld(MiniatureConfig())
    world.reset(*expert_recordings([calvin_task(task)]).scenes[recorded.start.name])
    split = folder / "training"
    split.mkdir(parents=True)
    for step, action in enumerate(recorded.actions):
        arrays = world.get_obs(pictures=True) | {"rel_actions": action, "actions": action}
        np.savez(split / f"episode_{step:07d}.npz", **arrays)
        world.step(action)
    last = len(recorded.actions) - 1
    np.save(split / "ep_start_end_ids.npy", np.array([(0, last)]))
    write_annotations(split / "lang_annotations" / "auto_lang_ann.npy", [((0, last), "do it", annotated)])
    return list_calvin_episodes(folder)


def test_recorded_files_are_replayed_where_they_began(tmp_path: Path) -> None:
    episodes = write_recording(tmp_path, "open_drawer", "open_drawer")
    recordings = recordings_from_files(episodes)
    [recorded] = recordings.episodes
    assert recorded.start.task == "open_drawer" and recorded.start.instruction == "do it"
    scenes = recordings.scene_of
    [record] = require_replay(lambda: CalvinEnvironment(MiniatureMaker().make(), scenes), recordings.episodes)
    assert record.success and record.steps <= len(recorded.actions)


def test_recordings_of_no_known_task_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no task 'open_door'"):
        recordings_from_files(write_recording(tmp_path / "a", "open_drawer", "open_door"))
    with pytest.raises(InputError, match="does not say which task"):
        recordings_from_files(write_recording(tmp_path / "b", "open_drawer", ""))


def test_steps_without_a_scene_are_refused(tmp_path: Path) -> None:
    episodes = write_recording(tmp_path, "turn_on_led", "turn_on_led")
    path = tmp_path / "training" / "episode_0000000.npz"
    arrays = dict(np.load(path))
    del arrays["scene_obs"]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="no scene_obs of 24 numbers"):
        recordings_from_files(episodes)


def test_the_experts_recordings_are_of_every_task_and_seed() -> None:
    recordings = expert_recordings(tasks_from_initial_states()[:3], seeds=(0, 4))
    assert len(recordings.episodes) == len(recordings.scenes) == 6
    with pytest.raises(ConfigurationError, match="cannot be begun"):
        expert_recordings([calvin_task("stack_block")])
