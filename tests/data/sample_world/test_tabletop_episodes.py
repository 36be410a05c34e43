import dataclasses
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.instructions import Instruction
from vidrep_pipelines.data.sample_world.policy import RandomPolicy
from vidrep_pipelines.data.sample_world.tabletop import LookName, TabletopConfig, TabletopSeeds
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop, TabletopEpisode, tabletop_episodes

LOOKS: tuple[LookName, ...] = ("plain", "photographic")


@cache
def table(look: LookName = "plain", seed: int = 0) -> Tabletop:
    size = 64 if look == "plain" else 32
    return Tabletop(TabletopConfig(look=look, width=size, height=size, objects_max=2), seed)


@cache
def counterfactuals(look: LookName = "plain") -> list[TabletopEpisode]:
    return table(look).counterfactuals()


@pytest.mark.parametrize("look", LOOKS)
def test_the_first_frame_is_the_same_under_every_instruction_and_the_last_is_not(look: LookName) -> None:
    episodes = counterfactuals(look)
    assert len({episode.text for episode in episodes}) == len(episodes) >= 11
    for camera in ("front", "side"):
        assert len({episode.frames[camera][0].tobytes() for episode in episodes}) == 1
        assert len({episode.frames[camera][-1].tobytes() for episode in episodes}) == len(episodes)
    assert all(episode.success for episode in episodes)


def test_an_episode_holds_what_it_promises() -> None:
    episode = counterfactuals()[0]
    assert list(episode.frames) == list(episode.masks) == ["front", "side"]
    for camera, frames in episode.frames.items():
        assert frames.shape == (24, 64, 64, 3) and frames.dtype == np.uint8
        assert episode.masks[camera].shape == (24, 64, 64) and episode.masks[camera].dtype == bool
    assert episode.actions.shape == (23, 4) and episode.actions.dtype == np.float32
    assert episode.states.shape == (24, 4) and episode.states.dtype == np.float32
    assert episode.positions.shape == (24, 2, 3) and episode.phases.shape == (24,)
    assert episode.object_names[episode.target] == episode.instruction.name
    assert (episode.seed, episode.frames_per_second) == (0, 8)
    assert (episode.task, episode.text) == (episode.instruction.task, episode.instruction.text)
    assert set(episode.phases.tolist()) == set(range(len(episode.phase_names)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        episode.success = False  # type: ignore[misc]


def test_actions_lead_from_state_to_state() -> None:
    for episode in counterfactuals():
        steps = episode.actions * (arm.SPEED / np.float32(episode.frames_per_second))
        expected = np.clip(episode.states[:-1] + steps, arm.LOWEST, arm.HIGHEST)
        np.testing.assert_array_equal(episode.states[1:], expected)


def test_episodes_repeat_to_the_byte() -> None:
    for look in LOOKS:
        first = counterfactuals(look)[3]
        again = Tabletop(table(look).config, 0).record(first.instruction)
        for field in dataclasses.fields(first):
            one, other = getattr(first, field.name), getattr(again, field.name)
            if isinstance(one, dict):
                assert all(np.array_equal(one[camera], other[camera]) for camera in one)
            else:
                assert np.array_equal(one, other)


def test_masks_are_of_the_named_object() -> None:
    for episode in counterfactuals():
        for camera, masks in episode.masks.items():
            assert masks[0].sum() >= 12 and masks[-1].sum() >= 12, (episode.text, camera)
        columns = [np.nonzero(mask)[1].mean() for mask in episode.masks["front"][[0, -1]]]
        moved = episode.positions[-1, episode.target, 0] - episode.positions[0, episode.target, 0]
        if abs(moved) > 0.1:
            assert np.sign(columns[1] - columns[0]) == np.sign(moved)


@pytest.mark.parametrize("look", LOOKS)
def test_each_part_is_seeded_alone(look: LookName) -> None:
    config, seeds = table(look).config, TabletopSeeds.of(0)
    instruction = table(look).instructions[0]
    first = counterfactuals(look)[0]
    assert Tabletop(config, seeds).record(instruction).seed is None
    changed = {part: dataclasses.replace(seeds, **{part: 7}) for part in ("scenery", "light", "camera")}
    for part, others in changed.items():
        other = Tabletop(config, others).record(instruction)
        np.testing.assert_array_equal(other.positions, first.positions)
        same = np.array_equal(other.frames["front"], first.frames["front"])
        assert same == (look == "plain" and part != "scenery")
    assert Tabletop(config, dataclasses.replace(seeds, layout=7)).layout.bodies != table(look).layout.bodies


def test_the_plain_look_stands_still_and_has_an_even_background() -> None:
    frames = counterfactuals()[0].frames["front"]
    assert (frames[:, 0, -8:] == frames[0, 0, -1]).all()
    photographic = counterfactuals("photographic")[0].frames["front"]
    assert len(np.unique(photographic[:, 0, -4:].reshape(-1, 3), axis=0)) > 20


def test_mirrored_tables_show_the_instructed_side() -> None:
    config = TabletopConfig(mirror=True, cameras=("front",))
    found = (Tabletop(config, seed) for seed in range(20))
    mirrored = next(item for item in found if item.layout.mirrored)
    for instruction in mirrored.instructions:
        if instruction.place in ("left", "right"):
            episode = mirrored.record(instruction)
            start, end = (np.nonzero(mask)[1].mean() for mask in episode.masks["front"][[0, -1]])
            assert (end < start) == (instruction.place == "left")


def test_another_policy_may_act_and_does_not_succeed() -> None:
    instruction = table().instructions[0]
    episode = table().record(instruction, RandomPolicy())
    assert not episode.success and set(episode.phases.tolist()) == {-1}
    np.testing.assert_array_equal(episode.frames["front"][0], counterfactuals()[0].frames["front"][0])


def test_an_instruction_about_something_else_is_an_error() -> None:
    names = table().layout.names
    absent = next(color for color in ("red", "blue", "green") if f"{color} ball" not in names)
    with pytest.raises(InputError, match="on the table"):
        table().record(Instruction.parse(f"push the {absent} ball to the left"))


def test_training_never_sees_a_held_out_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_filmed(table: Tabletop, instruction: Instruction) -> SimpleNamespace:
        return SimpleNamespace(seed=table.seed, instruction=instruction, task=instruction.task)

    monkeypatch.setattr(Tabletop, "record", not_filmed)
    config = TabletopConfig(width=32, height=32, cameras=("front",), frames=20)
    splits = {split: list(tabletop_episodes(config, 0, split, 30)) for split in ("train", "held_out")}
    combinations = {
        split: {(episode.instruction.name, episode.task) for episode in episodes}
        for split, episodes in splits.items()
    }
    assert not combinations["train"] & combinations["held_out"]
    assert len(splits["train"]) == 30 and len(splits["held_out"]) > 20
    assert len({episode.task for episode in splits["train"]}) == 6
    assert not {episode.seed for episode in splits["train"]} & {
        episode.seed for episode in splits["held_out"]
    }


def test_more_tables_leave_the_first_as_they_are() -> None:
    config = TabletopConfig(width=32, height=32, cameras=("front",), frames=20)
    few, many = (list(tabletop_episodes(config, 3, "train", count)) for count in (2, 4))
    assert [episode.text for episode in few] == [episode.text for episode in many[:2]]
    assert all(
        np.array_equal(one.frames["front"], other.frames["front"])
        for one, other in zip(few, many, strict=False)
    )
