import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import wilson_interval
from vidrep_pipelines.evaluation.robot_cloning.robot_report import (
    BEST,
    BEST_SCORE,
    EXPERT,
    LAST,
    LAST_SCORE,
    attempt_name,
    attempts_of,
    choose_attempts,
    compare_with,
    robot_metrics,
    summarize_attempts,
)


def rows_of(name: str, task: str, seed: int, after: int, successes: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "condition": attempt_name(name, task, seed, after),
            "task": task,
            "episode": [f"{task}/{number}" for number in range(len(successes))],
            "success": [bool(one) for one in successes],
            "renderer": "drawn",
        }
    )


ATTEMPTS = attempts_of(["rsp/lift/0", "rsp/lift/1", "random/lift/0", "random/lift/1"], [5, 10, 15])


def chosen() -> pd.DataFrame:
    shares = {5: [0, 0], 10: [1, 0], 15: [0, 1]}
    selection = [
        rows_of(name, "lift", seed, after, shares[after] if seed else [int(after == 5), 0])
        for name in ("rsp", "random")
        for seed in (0, 1)
        for after in (5, 10, 15)
    ]
    return choose_attempts(ATTEMPTS, pd.concat(selection))


def measured() -> pd.DataFrame:
    tables = [
        rows_of("rsp", "lift", 0, 5, [1, 1, 1, 1]),
        rows_of("rsp", "lift", 0, 15, [1, 1, 0, 0]),
        rows_of("rsp", "lift", 1, 15, [1, 1, 0, 1]),
        *(rows_of("random", "lift", seed, after, [1, 0, 0, 0]) for seed, after in ((0, 5), (0, 15), (1, 15))),
        rows_of(EXPERT, "lift", 0, 0, [1, 1, 1, 1]),
    ]
    return pd.concat(tables, ignore_index=True)


def test_the_best_is_chosen_by_success_and_of_equals_the_later() -> None:
    best = chosen()[chosen()["is_best"]].set_index(["encoder", "seed"])["after"]
    assert best.to_dict() == {("rsp", 0): 5, ("rsp", 1): 15, ("random", 0): 5, ("random", 1): 15}
    last = chosen()[chosen()["is_last"]]
    assert set(last["after"]) == {15} and len(last) == 4
    assert len(chosen()) == 6  # what is both is there once


def test_without_a_choice_the_last_is_the_best() -> None:
    found = choose_attempts(attempts_of(["rsp/lift/0"], [15]), None)
    assert found[["after", "is_last", "is_best"]].to_numpy().tolist() == [[15, True, True]]


def test_heads_are_averaged_and_intervals_count_layouts() -> None:
    table = summarize_attempts(measured(), chosen(), ["rsp", "random", EXPERT])
    assert set(table["task"]) == {"all", "lift"}
    own = table[table["task"] == "all"].set_index(["measure", "encoder"])
    last, best = own.loc[(LAST, "rsp")], own.loc[(BEST, "rsp")]
    assert last["value"] == pytest.approx(100 * 5 / 8) and best["value"] == pytest.approx(100 * 7 / 8)
    low, high = wilson_interval(5 / 8, 4, 0.95)
    assert (last["low"], last["high"]) == pytest.approx((100 * low, 100 * high))
    assert (last["lowest_seed"], last["highest_seed"], last["seeds"]) == (50, 75, 2)
    assert own.loc[(BEST, EXPERT), "value"] == own.loc[(LAST, EXPERT), "value"] == 100
    assert own.loc[(LAST, "random"), "lead"] == pytest.approx(100 * (1 / 4 - 5 / 8))
    assert own.loc[(LAST, "rsp"), "lead"] == 0 and table["renderer"].eq("drawn").all()
    metrics = robot_metrics(table, ["rsp", "carl", "random"])
    assert metrics["inputs_without_result"] == ["carl"]
    assert metrics["last_epoch/all/rsp"] == pytest.approx(62.5) and "best_epoch/lift/random/low" in metrics


def test_every_input_is_compared_with_every_floor() -> None:
    table = compare_with(measured(), chosen(), ["random", "absent"])
    own = table[(table["measure"] == LAST) & (table["task"] == "all")].set_index("encoder")
    assert list(own.index) == ["rsp", EXPERT] and set(table["than"]) == {"random"}
    assert own.loc["rsp", "difference"] == pytest.approx(37.5)
    assert own.loc["rsp", "low"] <= 37.5 <= own.loc["rsp", "high"]


def with_scores(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores that are high where episodes succeed, and differ elsewhere."""
    numbers = rows["episode"].str.rpartition("/")[2].astype(int)
    return rows.assign(score=0.9 * rows["success"] + 0.01 * numbers)


def test_scores_stand_beside_success_with_intervals_by_resampling() -> None:
    names = ["rsp", "random", EXPERT]
    plain, table = (
        summarize_attempts(rows, chosen(), names) for rows in (measured(), with_scores(measured()))
    )
    successes = table[table["measure"].isin([LAST, BEST])].reset_index(drop=True)
    pd.testing.assert_frame_equal(successes, plain)  # success is what it is without scores
    own = table[table["task"] == "all"].set_index(["measure", "encoder"])
    last = own.loc[(LAST_SCORE, "rsp")]
    assert last["value"] == pytest.approx(90 * 5 / 8 + 1.5)
    assert last["low"] < last["value"] < last["high"] and last["low"] != own.loc[(LAST, "rsp"), "low"]
    expert = own.loc[(BEST_SCORE, EXPERT)]
    assert 90 <= expert["low"] < expert["high"] <= 93  # Wilson's would end at 100
    comparisons = compare_with(with_scores(measured()), chosen(), ["random"])
    assert set(comparisons["measure"]) == {LAST, BEST, LAST_SCORE, BEST_SCORE}
    assert "last_epoch_score/all/rsp" in robot_metrics(table, names)


def test_where_there_are_scores_the_best_is_chosen_by_them() -> None:
    attempts = attempts_of(["rsp/lift/0"], [5, 10])
    rows = [rows_of("rsp", "lift", 0, 5, [1, 0]).assign(score=[0.81, 0.7])]
    rows.append(rows_of("rsp", "lift", 0, 10, [1, 0]).assign(score=[0.9, 0.1]))
    found = choose_attempts(attempts, pd.concat(rows))
    assert found[found["is_best"]]["after"].tolist() == [5]
    without = choose_attempts(attempts, pd.concat(rows).assign(score=np.nan))
    assert without[without["is_best"]]["after"].tolist() == [10]  # of equals the later


def test_other_layouts_cannot_be_compared() -> None:
    rows = measured()
    fewer = rows[~((rows["episode"] == "lift/3") & rows["condition"].str.startswith("random"))]
    with pytest.raises(InputError, match="same layouts"):
        summarize_attempts(fewer, chosen(), ["rsp", "random"])
    with pytest.raises(InputError, match="No cloned behavior"):
        summarize_attempts(rows.iloc[:0], chosen(), ["rsp"])


def test_a_head_without_any_success_has_an_interval() -> None:
    rows = pd.concat([rows_of("rsp", "lift", 0, 15, [0] * 10)])
    picked = choose_attempts(attempts_of(["rsp/lift/0"], [15]), None)
    table = summarize_attempts(rows, picked, ["rsp"])
    assert (table["low"] <= 1e-9).all() and (table["high"] > 20).all() and np.isfinite(table["lead"]).all()
