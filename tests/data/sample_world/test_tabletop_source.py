import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import stated_split
from vidrep_pipelines.data.sample_world import tabletop_source
from vidrep_pipelines.data.sample_world.instructions import SplitName
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop, tabletop_episodes
from vidrep_pipelines.data.sample_world.tabletop_source import (
    TABLETOP,
    TABLETOP_BESIDE,
    TABLETOP_HELD_OUT,
    TabletopSource,
    list_tabletop,
    tabletop_of,
)

TABLE = TabletopConfig(width=32, height=32, frames=20, objects_max=2)
CONFIG = TabletopEpisodesConfig(
    table=TABLE,
    train_tables=4,
    validation_tables=2,
    test_tables=2,
    held_out_tables=3,
    beside_tables=2,
    beside_spread=0.1,
    seed=5,
)


def by_part(config: TabletopEpisodesConfig = CONFIG) -> dict[str, list[TabletopSource]]:
    parts: dict[str, list[TabletopSource]] = {}
    for source in list_tabletop(config):
        parts.setdefault(source.part, []).append(source)
    return parts


def test_every_part_has_its_tables_its_split_and_its_combinations() -> None:
    parts = by_part()
    assert {part: len(sources) for part, sources in parts.items()} == {
        "train": 4,
        "validation": 2,
        "test": 2,
        "held_out": 3,
        "beside": 2,
    }
    for part, sources in parts.items():
        for source in sources:
            assert source.instruction is not None
            assert source.instruction.split == ("held_out" if part == "held_out" else "train")
            assert stated_split(source) == {"held_out": "test", "beside": "train"}.get(part, part)
    layouts = [tabletop_of(source.trajectory, CONFIG).seed for source in list_tabletop(CONFIG)]
    assert len(set(layouts)) == len(layouts) == len({source.trajectory for source in list_tabletop(CONFIG)})


def test_more_tables_leave_the_first_ones_as_they_are() -> None:
    more = CONFIG.model_copy(update={"train_tables": 6, "held_out_tables": 5})
    for part, sources in by_part().items():
        assert by_part(more)[part][: len(sources)] == sources
        assert len({source.digest for source in by_part(more)[part]}) == len(by_part(more)[part])


def test_aiming_beside_is_a_data_set_of_its_own() -> None:
    """On tables of its own; its expert misses first and succeeds all the same."""
    source = by_part()["beside"][0]
    assert source.data_set == TABLETOP_BESIDE and source.config.aim_spread == 0.1
    assert source.instruction is not None
    table = tabletop_of(source.trajectory, CONFIG)
    exact = Tabletop(TABLE, table.seeds)
    missed, hit = (way.run(source.instruction) for way in (table, exact))
    assert not np.allclose(missed.states, hit.states, atol=0.02)
    assert table.task(source.instruction).succeeded(missed.snapshots)
    with source.open() as episode:
        np.testing.assert_array_equal(episode.states, missed.states)


def test_an_episode_has_what_the_world_knows() -> None:
    source = by_part()["held_out"][0]
    table = tabletop_of(source.trajectory, CONFIG)
    assert source.instruction is not None
    expected = table.record(source.instruction)
    with source.open() as episode:
        assert episode.robot == TABLETOP_HELD_OUT
        said, views = episode.annotations, list(episode.views)
        assert [(one.text, one.task) for one in said.segments] == [(expected.text, expected.task)]
        assert (said.segments[0].first, said.segments[0].last) == (0, 20)
        assert said.mask_names == ("background", "arm", *expected.object_names)
        assert (said.success, said.frames_per_second) == (expected.success, 8)
        assert [one.text for one in said.phases] == list(expected.phase_names)
        np.testing.assert_array_equal(episode.states, expected.states)
        np.testing.assert_array_equal(episode.actions, expected.actions)
        assert [view.camera for view in views] == [0, 1]
        for view, camera in zip(views, TABLE.cameras, strict=True):
            assert view.masks is not None
            pairs = list(zip(view.pictures, view.masks, strict=True))
            pictures, masks = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
            np.testing.assert_array_equal(pictures, expected.frames[camera])
            named = said.mask_names.index(expected.instruction.name)
            np.testing.assert_array_equal(masks == named, expected.masks[camera])


def test_the_parts_that_are_learned_from_and_held_out_are_those_of_the_worlds_own_episodes() -> None:
    splits: tuple[SplitName, ...] = ("train", "held_out")
    for split in splits:
        recorded = {episode.seed: episode for episode in tabletop_episodes(TABLE, 5, split, 4)}
        for source in by_part()[split]:
            if (table := tabletop_of(source.trajectory, CONFIG)).seed in recorded:
                assert recorded[table.seed].instruction == source.instruction


def test_all_instructions_of_a_table_begin_with_the_episodes_first_frame() -> None:
    source = by_part()["test"][1]
    with source.open() as episode:
        first = next(iter(next(iter(episode.views)).pictures))
    table = tabletop_of(source.trajectory, CONFIG)
    assert len(table.instructions) >= 11
    for instruction in table.instructions[:3]:
        np.testing.assert_array_equal(table.record(instruction).frames["front"][0], first)


@pytest.mark.parametrize("name", ["tabletop/other/00001", "bridge/val/1", "tabletop/test/00001_0", ""])
def test_other_names_are_no_episodes_of_the_tabletop(name: str) -> None:
    with pytest.raises(InputError, match="is no episode of the tabletop, such as"):
        tabletop_of(name, CONFIG)


def test_a_table_without_a_combination_of_its_part_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabletop_source, "draw_instruction", lambda *_: None)
    source = TabletopSource(TABLE, 5, "held_out", 0)
    with pytest.raises(InputError, match=f"{source.trajectory}: the table has no combination"), source.open():
        pass


def test_pictures_of_another_look_or_seed_have_another_digest() -> None:
    source = TabletopSource(TABLE, 5, "train", 0)
    changed = [
        TabletopSource(TABLE.model_copy(update={"width": 64}), 5, "train", 0),
        TabletopSource(TABLE, 6, "train", 0),
        TabletopSource(TABLE, 5, "test", 0),
        TabletopSource(TABLE, 5, "train", 1),
    ]
    assert len({source.digest, *(other.digest for other in changed)}) == 5
    assert source.digest == TabletopSource(TABLE, 5, "train", 0).digest
    # That of before the expert could aim beside: what was stored then is still up to date.
    assert source.digest == "6eddce7ec5dc8750"
    assert TabletopSource(TABLE.model_copy(update={"aim_spread": 0.1}), 5, "train", 0).digest != source.digest


def test_the_data_set_of_a_part() -> None:
    assert TabletopSource(TABLE, 5, "held_out", 0).data_set == TABLETOP_HELD_OUT
    assert {TabletopSource(TABLE, 5, part, 0).data_set for part in ("train", "validation", "test")} == {
        TABLETOP
    }
