from pathlib import Path

import pytest

from tests.helpers.calvin import write_annotations, write_calvin_split
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureMaker
from vidrep_pipelines.evaluation.calvin.simulator import SimulatorConfig, SimulatorMaker
from vidrep_pipelines.evaluation.calvin.worlds import CalvinWorldConfig, replayed_recordings, world_maker

TASKS = [((3, 4), f"do {task}", task) for task in ("open_drawer", "turn_on_led", "close_drawer")]


def replayed(folder: Path, count: int) -> list[str]:
    recordings = replayed_recordings(CalvinWorldConfig(recordings=folder, replays=count))
    assert recordings is not None
    return [episode.start.task for episode in recordings.episodes]


def test_the_chosen_world_is_made() -> None:
    small = MiniatureConfig(static_size=8)
    assert world_maker(CalvinWorldConfig(kind="miniature", miniature=small)) == MiniatureMaker(small)
    drawn = SimulatorConfig(renderer="egl")
    assert world_maker(CalvinWorldConfig(simulator=drawn)) == SimulatorMaker(drawn)


def test_the_miniature_replays_its_expert_and_the_simulator_what_is_named() -> None:
    recordings = replayed_recordings(CalvinWorldConfig(kind="miniature"))
    assert recordings is not None and len(recordings.episodes) == 27
    assert replayed_recordings(CalvinWorldConfig()) is None


def test_replays_are_spread_over_the_scene_that_is_evaluated(tmp_path: Path) -> None:
    write_calvin_split(tmp_path / "training", annotations=[((3, 4), "lift it", "lift_red_block_table")])
    assert replayed(tmp_path, 5) == ["lift_red_block_table"]
    write_calvin_split(tmp_path / "validation", annotations=TASKS)
    assert replayed(tmp_path, 2) == ["open_drawer", "close_drawer"]
    assert replayed(tmp_path, 9) == ["open_drawer", "turn_on_led", "close_drawer"]


def test_a_folder_without_a_usable_instruction_is_refused(tmp_path: Path) -> None:
    split = write_calvin_split(tmp_path / "validation")
    write_annotations(split / "lang_annotations" / "auto_lang_ann.npy", [((9, 3), "backward", "open_drawer")])
    with pytest.raises(InputError, match=r"no usable instruction. Remedy: name CALVIN's task_ABC_D"):
        replayed(tmp_path, 2)
