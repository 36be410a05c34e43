import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord
from vidrep_pipelines.evaluation.rollouts.tables import compare_runs, record_table, success_table


def run(successes: list[bool], task: str = "reach", renderer: str = "line") -> pd.DataFrame:
    return record_table(
        [
            EpisodeRecord(f"{task}/{number}", task, "go", 0, success, 10 + number, 1, 0.0, renderer, "s")
            for number, success in enumerate(successes)
        ]
    )


def test_rows_have_the_fields_of_a_record_even_without_any() -> None:
    assert list(record_table([]).columns) == list(run([True]).columns)
    assert run([True, False])["success"].tolist() == [True, False]


def test_success_by_task_with_wilsons_interval() -> None:
    rows = pd.concat([run([True] * 10), run([True, False, False, False], task="push")])
    table = success_table(rows).set_index("task")
    assert table.loc["reach", "success"] == 1 and table.loc["reach", "low"] == pytest.approx(0.7225, abs=1e-4)
    assert table.loc["push", ["episodes", "successes"]].tolist() == [4, 1]
    assert table.loc["push", "low"] < 0.25 < table.loc["push", "high"]
    assert table.loc["push", "steps"] == 10


def test_a_sweep_is_a_table_by_its_parameter() -> None:
    runs = [run([True, success]).assign(execute_steps=steps) for steps, success in ((2, False), (10, True))]
    table = success_table(pd.concat(runs), ("execute_steps",))
    assert table[["execute_steps", "success"]].to_numpy().tolist() == [[2, 0.5], [10, 1.0]]


def test_tasks_that_never_succeed_have_no_mean_of_steps() -> None:
    assert np.isnan(success_table(run([False])).loc[0, "steps"])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_runs_are_compared_episode_by_episode(pairs: list[tuple[bool, bool]]) -> None:
    first, second = (run([pair[side] for pair in pairs]) for side in (0, 1))
    shuffled = second.sample(frac=1, random_state=1)
    row = compare_runs(first, shuffled, resamples=200).iloc[0]
    assert row["difference"] == pytest.approx(row["second"] - row["first"])
    assert row["only_second"] - row["only_first"] == pytest.approx(row["difference"] * len(pairs))
    assert row["low"] - 1e-12 <= row["difference"] <= row["high"] + 1e-12
    turned = compare_runs(second, first, resamples=200).iloc[0]
    assert turned["difference"] == pytest.approx(-row["difference"])


def test_pairs_tell_more_than_shares() -> None:
    """Success on 20 and on 12 of 40 episodes, the 12 among the 20: apart, their intervals overlap."""
    first, second = run([True] * 12 + [False] * 28), run([True] * 20 + [False] * 20)
    shares = [success_table(rows).iloc[0] for rows in (first, second)]
    assert shares[0]["high"] > shares[1]["low"]
    assert compare_runs(first, second).iloc[0]["low"] > 0


def test_tasks_stand_below_all_of_them() -> None:
    first = pd.concat([run([True, False]), run([False], task="push")])
    second = pd.concat([run([True, True]), run([False], task="push")])
    table = compare_runs(first, second, resamples=50)
    assert table["task"].tolist() == ["all", "reach", "push"]
    assert table["difference"].tolist() == [pytest.approx(1 / 3), 0.5, 0.0]


def test_runs_of_other_episodes_or_renderers_are_not_compared() -> None:
    with pytest.raises(InputError, match="'reach/1' is in one of them only"):
        compare_runs(run([True]), run([True, True]))
    with pytest.raises(InputError, match="stands there twice"):
        compare_runs(pd.concat([run([True]), run([True])]), run([True]))
    with pytest.raises(InputError, match="rendered by"):
        compare_runs(run([True]), run([True], renderer="egl"))
