import random
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.config import SplitConfig
from vidrep_pipelines.data.frame_store.split import deal, leaking_trajectories, split_views, subsample


def views(cameras: list[int]) -> pd.DataFrame:
    rows = [(f"t{number:02d}", camera) for number, count in enumerate(cameras) for camera in range(count)]
    table = pd.DataFrame(rows, columns=["trajectory", "camera"])
    return table.assign(id=[f"{name}_{camera}" for name, camera in rows])


camera_counts = st.lists(st.integers(1, 4), min_size=4, max_size=20)


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 60), st.data(), st.integers(0, 9))
def test_dealing_is_a_partition(count: int, data: st.DataObject, seed: int) -> None:
    validation = data.draw(st.integers(0, count - 1))
    test = data.draw(st.integers(0, count - 1 - validation))
    dealt = deal(range(count), validation, test, random.Random(seed))
    assert [len(dealt[name]) for name in ("train", "validation", "test")] == [
        count - validation - test,
        validation,
        test,
    ]
    assert sorted(unit for units in dealt.values() for unit in units) == list(range(count))


@settings(deadline=None, max_examples=50)
@given(camera_counts, st.integers(0, 9))
def test_trajectories_are_never_divided(cameras: list[int], seed: int) -> None:
    table = views(cameras)
    split = split_views(table, SplitConfig(validation=1, test=2, seed=seed))
    assert leaking_trajectories(table.assign(split=split)) == []
    assert table.assign(split=split).groupby("trajectory")["split"].nunique().max() == 1
    held_out = table.assign(split=split).groupby("split")["trajectory"].nunique()
    assert (held_out["validation"], held_out["test"]) == (1, 2)


@settings(deadline=None, max_examples=50)
@given(camera_counts, st.integers(0, 9), st.randoms(use_true_random=False))
def test_order_of_the_rows_does_not_matter(cameras: list[int], seed: int, rng: random.Random) -> None:
    table = views(cameras)
    order = list(range(len(table)))
    rng.shuffle(order)
    for unit in ("trajectory", "view"):
        config = SplitConfig(unit=unit, validation=1, test=1, seed=seed)
        shuffled = split_views(table.iloc[order], config).sort_index()
        pd.testing.assert_series_equal(shuffled, split_views(table, config))


def test_view_split_is_the_published_rule_and_its_leak_is_stated(caplog: pytest.LogCaptureFixture) -> None:
    table = views([2] * 20)
    split = split_views(table, SplitConfig(unit="view", validation=5, test=4))
    expected = sorted(table["id"])
    random.Random(23).shuffle(expected)
    assert set(table.loc[split == "test", "id"]) == set(expected[-4:])
    assert set(table.loc[split == "validation", "id"]) == set(expected[-9:-4])
    leaks = leaking_trajectories(table.assign(split=split))
    assert leaks
    assert f"{len(leaks)} trajectories are both trained on and held out" in caplog.text


def test_shares_hold_out_at_least_one() -> None:
    split = split_views(views([1] * 10), SplitConfig(validation=0.3, test=0.01))
    assert Counter(split) == {"train": 6, "validation": 3, "test": 1}


def test_holding_out_everything_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="leave none of 4 to train on"):
        split_views(views([1] * 4), SplitConfig(validation=2, test=2))


def test_subsample_keeps_the_first_of_a_shuffle() -> None:
    expected = list(range(9))
    random.Random(3).shuffle(expected)
    assert subsample(range(9), 4, random.Random(3)) == expected[:4]


def of_robots(**counts: int) -> pd.DataFrame:
    rows = [(f"{robot}/{number:02d}", robot) for robot, count in counts.items() for number in range(count)]
    table = pd.DataFrame(rows, columns=["trajectory", "robot"])
    return table.assign(id=table["trajectory"])


def test_stated_splits_are_kept_and_only_the_others_are_dealt() -> None:
    table = views([1] * 10).assign(stated_split=["test"] * 4 + [None] * 6)
    split = split_views(table, SplitConfig(validation=1, test=1))
    assert (split[:4] == "test").all()
    alone = split_views(views([1] * 10)[4:], SplitConfig(validation=1, test=1))
    assert split[4:].tolist() == alone.tolist()


def test_where_all_are_stated_nothing_is_dealt() -> None:
    table = views([1] * 3).assign(stated_split=["validation", "test", "validation"])
    assert split_views(table, SplitConfig()).tolist() == ["validation", "test", "validation"]


def test_each_robot_is_dealt_on_its_own() -> None:
    config = SplitConfig(validation=0.1, test=0.1, each_robot=True)
    table = of_robots(bridge=20, calvin=10, rt1=2)
    split = split_views(table, config)
    counts = table.assign(split=split).groupby("robot")["split"].value_counts().to_dict()
    assert counts == {
        ("bridge", "train"): 16,
        ("bridge", "validation"): 2,
        ("bridge", "test"): 2,
        ("calvin", "train"): 8,
        ("calvin", "validation"): 1,
        ("calvin", "test"): 1,
        ("rt1", "train"): 2,
    }
    more = of_robots(another=30, bridge=20, calvin=10, rt1=2)
    assert split_views(more, config)[30:].tolist() == split.tolist()
