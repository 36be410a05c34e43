"""Items: how many there are, where each is, what is left out, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.vpp.policy.demonstrations import Demonstration, demonstration_store
from tests.models.vpp.video.spoken import TEXTS
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.episode import Segment
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable, table_of_split
from vidrep_pipelines.models.vpp.policy.items_config import (
    PUBLISHED_ITEM_RULES,
    ActionsConfig,
    ItemRule,
    PolicyItemsConfig,
)


def config(rule: dict[str, Any] | None = None, **fields: Any) -> PolicyItemsConfig:
    return PolicyItemsConfig.model_validate({"rule": {"chunk": 4, **(rule or {})}, **fields})


@given(
    frames=st.integers(1, 60),
    missing=st.integers(0, 2),
    chunk=st.integers(1, 12),
    interval=st.integers(1, 3),
    every=st.integers(1, 4),
    first=st.integers(0, 4),
    least=st.integers(1, 25),
    drop=st.booleans(),
)
def test_counts_are_those_of_a_plain_loop(
    frames: int, missing: int, chunk: int, interval: int, every: int, first: int, least: int, drop: bool
) -> None:
    rule = ItemRule(
        chunk=chunk,
        interval=interval,
        every=every,
        first=first,
        least_frames=least,
        past_end="drop" if drop else "repeat",
    )
    known = max(frames - missing, 0)
    last = interval * (chunk - 1) if drop else 0
    starts = [
        start for start in range(first, frames, every) if frames - start >= least and start + last < known
    ]
    assert rule.counts(np.array([frames]), np.array([known])).tolist() == [len(starts)]
    for number, start in enumerate(starts):
        assert rule.start(number) == start
        ids = rule.frame_ids(start, known).tolist()
        assert ids == [min(start + interval * step, known - 1) for step in range(chunk)]
        assert ids[0] == start


@pytest.mark.parametrize(("first", "last"), [(100, 155), (0, 64), (7, 28), (7, 27)])
def test_calvins_rule_is_the_published_range(first: int, last: int) -> None:
    published = len(range(first, last + 1 - 21))
    frames = last - first + 1
    rule = PUBLISHED_ITEM_RULES["calvin"]
    assert rule.counts(np.array([frames]), np.array([frames - 1])).tolist() == [published]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    episodes = [
        Demonstration(0, 12),
        Demonstration(1, 9, cameras=(0, 3)),
        Demonstration(2, 10, cameras=(0, 3), segments=(Segment(2, 6, TEXTS[0]), Segment(4, 10, TEXTS[1]))),
        Demonstration(3, 8, "xhand", segments=(Segment(0, 8, TEXTS[1]), Segment(0, 8, TEXTS[0]))),
        Demonstration(4, 8, "silent", segments=()),
        Demonstration(5, 8, "still", controls=False),
    ]
    return demonstration_store(tmp_path_factory.mktemp("store"), episodes)


def test_items_in_the_order_of_episodes_and_instructions(store: FrameStore) -> None:
    items = PolicyItemTable(store, config(cameras=(0,)))
    assert items.episodes == ("tabletop/000", "tabletop/001", "tabletop/002")
    assert len(items) == 11 + 8 + 4 + 5  # the last frame has no action; an instruction that ends before does
    places = [items.place(number) for number in range(len(items))]
    assert [place.frame for place in places] == [*range(11), *range(8), *range(2, 6), *range(4, 9)]
    assert places[10].actions.tolist() == [10, 10, 10, 10]
    assert places[19 + 3].actions.tolist() == [5, 5, 5, 5], "a chunk stays within its instruction"
    assert {place.text for place in places[19:23]} == {TEXTS[0]} and places[-1].text == TEXTS[1]
    assert store.ids[places[0].views[0]] == "tabletop/000_0"
    assert items.describe(11) == "tabletop/001, frame 0"
    with pytest.raises(IndexError):
        items.place(len(items))


def test_cameras_in_the_order_that_is_asked_for(store: FrameStore) -> None:
    items = PolicyItemTable(store, config(cameras=(3, 0)))
    assert items.episodes == ("tabletop/001", "tabletop/002") and items.cameras == 2
    assert [store.ids[view] for view in items.place(0).views] == ["tabletop/001_3", "tabletop/001_0"]


def test_of_instructions_for_the_same_frames_the_first_counts(store: FrameStore) -> None:
    items = PolicyItemTable(store, config(data_sets=("xhand",)))
    assert len(items) == 7 and items.place(0).text == TEXTS[1]


def test_states_stand_for_commands(store: FrameStore) -> None:
    learn = ActionsConfig(learn="states")
    assert len(PolicyItemTable(store, config(data_sets=("xhand",), actions=learn.model_dump()))) == 8


def test_fewer_episodes_are_part_of_more(tmp_path: Path) -> None:
    store = demonstration_store(tmp_path, [Demonstration(n) for n in range(12)], validation=3)
    train = store.select("train")
    names = [set(PolicyItemTable(train, config(episodes=number)).episodes) for number in (2, 4, 8, 100)]
    assert [len(one) for one in names] == [2, 4, 8, 9]
    assert names[0] < names[1] < names[2] < names[3]
    assert set(PolicyItemTable(train, config(episodes=4, episodes_seed=1)).episodes) != names[1]
    assert len(PolicyItemTable(store.select("validation"), config(episodes=1)).episodes) == 3, "held out: all"


def test_what_is_seen_is_said_once(store: FrameStore) -> None:
    rows = PolicyItemTable(
        store, config(data_sets=("xhand", "tabletop"), cameras=(0,), rule={"first": 9})
    ).observed_frames()
    assert rows.to_dict("list")["frame"] == [9, 10]
    with pytest.raises(InputError, match=r"2 frames, such as 4 of 'tabletop/002_0'.*two instructions"):
        PolicyItemTable(store, config(cameras=(0,))).observed_frames()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"data_sets": ("bridge",)}, r"'bridge'.*there are \['silent', 'still', 'tabletop', 'xhand'\]"),
        ({"cameras": (7,)}, r"the cameras \[7\].*there are \[0, 3\]"),
        ({"rule": {"least_frames": 99}}, r"has no item.*12 frames at most"),
    ],
)
def test_what_there_is_not(store: FrameStore, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        PolicyItemTable(store, config(**fields))


@pytest.mark.parametrize(
    ("name", "says"), [("silent", "has no instruction"), ("still", "no actions of still")]
)
def test_episodes_of_which_too_little_is_known(store: FrameStore, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        PolicyItemTable(store, config(data_sets=(name,)))


def test_a_split_without_items_is_none(store: FrameStore) -> None:
    assert table_of_split(store, "validation", config()) is None
    assert table_of_split(store, "train", config(rule={"least_frames": 99})) is None
    with pytest.raises(ConfigurationError, match="'bridge'"):
        table_of_split(store, "train", config(data_sets=("bridge",)))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "xhand_absolute"}, r"actions\.mean"),
        ({"percentiles": (99, 1)}, r"actions\.percentiles"),
        ({"kind": "bounded", "percentiles": (-1, 50)}, r"actions\.percentiles"),
    ],
)
def test_actions_that_cannot_be(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ActionsConfig.model_validate(fields)
