import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.calvin.config import CalvinEvaluationConfig
from vidrep_pipelines.evaluation.calvin.scores import (
    average_length,
    calvin_numbers,
    chain_table,
    compare_lengths,
    numbers_of_run,
    score_run,
    sequence_table,
    task_table,
)
from vidrep_pipelines.evaluation.calvin.tasks import calvin_tasks

CONFIG = CalvinEvaluationConfig(resamples=200)
NAMES = [task.name for task in calvin_tasks()]
LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=30)


def attempts(lengths: list[int], renderer: str = "miniature") -> pd.DataFrame:
    """Rows of sequences in which so many tasks were done."""
    rows = []
    for sequence, length in enumerate(lengths):
        tasks = [NAMES[(sequence + place) % 34] for place in range(5)]
        for place in range(min(length + 1, 5)):
            rows.append(
                {"sequence": sequence, "place": place, "task": tasks[place], "tasks": ",".join(tasks),
                 "success": place < length, "steps": 10, "plans": 1, "renderer": renderer, "settings": "s"}
            )  # fmt: skip
    return pd.DataFrame(rows)


@given(LENGTHS)
def test_scores_are_those_of_consecutive_successes(lengths: list[int]) -> None:
    sequences = sequence_table(attempts(lengths).sample(frac=1, random_state=0))
    assert sequences["completed"].tolist() == lengths
    chains = chain_table(sequences, CONFIG)
    shares = [np.mean([length >= k for length in lengths]) for k in range(1, 6)]
    assert chains["success"].tolist() == pytest.approx(shares)
    assert (chains["low"] <= chains["success"] + 1e-12).all()
    assert (chains["success"] - 1e-12 <= chains["high"]).all()
    length = average_length(sequences, CONFIG)
    assert length.value == pytest.approx(np.mean(lengths)) == pytest.approx(sum(shares))
    assert length.low - 1e-12 <= length.value <= length.high + 1e-12


def test_a_sequence_says_where_it_failed() -> None:
    table = sequence_table(attempts([0, 5, 2]))
    assert table["failed_task"].tolist() == [NAMES[0], "", NAMES[4]]
    assert table["steps"].tolist() == [10, 50, 30]


def test_tasks_stand_in_the_benchmarks_order() -> None:
    table = task_table(attempts([5, 1, 0]).sample(frac=1, random_state=0), CONFIG)
    assert table["task"].tolist() == NAMES[:5]
    assert table.set_index("task").loc[NAMES[2], ["successes", "episodes"]].tolist() == [1, 3]


@given(LENGTHS, st.data())
def test_runs_are_compared_sequence_by_sequence(first: list[int], data: st.DataObject) -> None:
    second = data.draw(st.lists(st.integers(0, 5), min_size=len(first), max_size=len(first)))
    tables = [sequence_table(attempts(lengths)) for lengths in (first, second)]
    found = compare_lengths(*tables, CONFIG)
    assert found["difference"] == pytest.approx(np.mean(second) - np.mean(first))
    assert found["second_longer"] == sum(b > a for a, b in zip(first, second, strict=True))
    assert found["low"] - 1e-12 <= found["difference"] <= found["high"] + 1e-12


def test_other_sequences_or_renderers_are_not_compared() -> None:
    own = sequence_table(attempts([1, 2]))
    with pytest.raises(InputError, match="Of 2 and 3 sequences only 2"):
        compare_lengths(own, sequence_table(attempts([1, 2, 3])), CONFIG)
    with pytest.raises(InputError, match="only 0 have the same"):
        compare_lengths(own, sequence_table(attempts([1, 2], renderer="calvin_env/egl")), CONFIG)


def test_the_headline_in_plain_numbers() -> None:
    numbers = calvin_numbers(attempts([5, 5, 0, 1]), CONFIG)
    assert numbers["average_length"] == 2.75 and numbers["success_1"] == 0.75 and numbers["success_5"] == 0.5
    assert numbers["success_5_low"] < 0.5 < numbers["success_5_high"]
    assert len(numbers) == 18


def test_policies_of_a_run_stand_below_one_another_and_the_first_is_compared() -> None:
    rows = pd.concat([attempts([5, 3, 4, 4]).assign(policy="own"), attempts([1, 0]).assign(policy="still")])
    scores = score_run(rows, CONFIG)
    lengths = scores.lengths.set_index("policy")
    assert lengths["average_length"].to_dict() == {"own": 4.0, "still": 0.5}
    assert lengths["sequences"].to_dict() == {"own": 4, "still": 2}
    assert lengths["difference"].isna().tolist() == [True, False]
    still = lengths.loc["still"]
    assert (still["difference"], still["shared"]) == (3.5, 2)  # of the two that both attempted
    assert still["difference_low"] <= 3.5 <= still["difference_high"]
    assert scores.chains["policy"].tolist() == ["own"] * 5 + ["still"] * 5
    assert scores.sequences["policy"].tolist() == ["own"] * 4 + ["still"] * 2
    assert set(scores.tasks.loc[scores.tasks["policy"] == "still", "task"]) == set(NAMES[:2])
    numbers = numbers_of_run(rows, CONFIG)
    assert numbers["own"]["average_length"] == 4.0 and numbers["still"]["success_1"] == 0.5
