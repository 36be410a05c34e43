import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.chain_comparison import compare_learners


def scores_of(errors: dict[str, list[float]], kind: str = "plain") -> pd.DataFrame:
    """A run per value error, one chain each, total variation a tenth of it."""
    rows = [
        {
            "kind": kind,
            "chain": chain,
            "learner": learner,
            "seed": 0,
            "total_variation": error / 10,
            "invalid_mass": 0.0,
            "value_error": error,
            "mean_value_error": 2.0,
        }
        for learner, values in errors.items()
        for chain, error in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_ratios_are_medians_over_pairs() -> None:
    scores = scores_of({"td": [1.0, 2.0, 3.0], "other": [0.5, 0.4, 3.0]})
    summary = compare_learners(scores, "td").set_index("learner")
    assert summary.loc["td", ["times_closer", "low", "high"]].tolist() == [1, 1, 1]
    other = summary.loc["other"]
    assert other["runs"] == 3 and other["times_closer"] == pytest.approx(2)
    assert (other["low"], other["high"]) == (pytest.approx(1), pytest.approx(5))
    assert other["times_closer_total_variation"] == pytest.approx(2)
    assert other["value_error"] == pytest.approx(0.5)
    assert other["share_of_mean_error"] == pytest.approx(0.25)
    assert other["worst_share_of_mean_error"] == pytest.approx(1.5)


def test_median_of_an_even_number_lies_between() -> None:
    scores = scores_of({"td": [1.0, 1.0], "other": [0.5, 0.25]})
    summary = compare_learners(scores, "td").set_index("learner")
    assert summary.loc["other", "times_closer"] == pytest.approx(np.median([2, 4]))


def test_runs_without_a_partner_are_left_out() -> None:
    scores = scores_of({"td": [1.0, 2.0], "other": [0.5, 1.0, 0.1]})
    assert compare_learners(scores, "td").set_index("learner").loc["other", "runs"] == 2


def test_a_kind_without_reference() -> None:
    scores = pd.concat([scores_of({"td": [1.0]}), scores_of({"other": [1.0]}, kind="ambiguous")])
    with pytest.raises(InputError, match="'td' on chains of ambiguous"):
        compare_learners(scores, "td")
