"""One table of all evaluations: differences are paired, floors are floors, fronts are fronts."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.encoder_comparison.table import (
    EVALUATIONS,
    SUMMARIES,
    comparison_metrics,
    comparison_table,
    comparison_text,
    on_front,
)

ENCODERS = {"rsp": False, "carl": False, "pixels": True}
COSTS = pd.DataFrame(
    {
        "encoder": ["rsp", "carl", "pixels"],
        "milliseconds": [4.0, 8.0, 0.1],
        "milliseconds_low": [3.0, 7.0, 0.1],
        "milliseconds_high": [5.0, 9.0, 0.1],
        "parameters": [100, 300, 0],
    }
)
# value, low, high, lead of rsp, lead_low, lead_high
NUMBERS = {
    "rsp": (50.0, 45.0, 55.0, 0.0, 0.0, 0.0),
    "carl": (40.0, 35.0, 45.0, 10.0, 6.0, 15.0),
    "pixels": (52.0, 47.0, 57.0, -2.0, -5.0, 1.0),
    "chance": (60.0, 55.0, 65.0, -10.0, -14.0, -3.0),
}


def summaries(encoders: tuple[str, ...] = tuple(NUMBERS), scale: float = 1.0) -> dict[str, pd.DataFrame]:
    columns = ["value", "low", "high", "lead", "lead_low", "lead_high"]
    tables: dict[str, list[dict[str, object]]] = {name: [] for name in SUMMARIES}
    for evaluation in EVALUATIONS:
        for encoder in encoders:
            values = [number * scale / evaluation.scale for number in NUMBERS[encoder]]
            row = {"measure": evaluation.measure, "encoder": encoder, evaluation.count: 7}
            tables[evaluation.dataset].append({**row, **dict(zip(columns, values, strict=True))})
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def test_a_difference_is_the_lead_the_other_way_round() -> None:
    table = comparison_table(summaries(), COSTS, ENCODERS)
    assert len(table) == len(EVALUATIONS) * len(NUMBERS)
    for _, rows in table.groupby("evaluation"):
        own = rows.set_index("encoder")
        numbers = own.loc["carl", ["value", "difference", "difference_low", "difference_high"]]
        np.testing.assert_allclose(numbers.to_numpy(float), [40, -10, -15, -6])
        assert own["verdict"].to_dict() == {
            "rsp": "same",
            "carl": "below",
            "pixels": "same",
            "chance": "above",
        }
        assert own["floor"].to_dict() == {"rsp": False, "carl": False, "pixels": True, "chance": True}
        assert not own["above_floors"].any()  # chance is highest
        assert own["on_front"].to_dict() == {"rsp": False, "carl": False, "pixels": True, "chance": False}


def test_without_a_result_of_the_reference_there_is_no_difference() -> None:
    tables = summaries()
    tables["vip.summary"] = summaries(("carl", "pixels"))["vip.summary"]
    table = comparison_table(tables, COSTS, ENCODERS)
    rows = table[table["evaluation"].str.startswith("VIP")]
    assert rows["encoder"].tolist() == ["carl", "pixels"]
    assert rows["difference"].isna().all() and (rows["verdict"] == "").all()
    metrics = comparison_metrics(table, ENCODERS)
    assert metrics["cells_without_result"] == ["rsp: VIP, mIoU"]
    assert metrics["carl"]["DAVIS_J_F_difference"] == pytest.approx(-10)
    assert all(math.isfinite(number) for number in metrics["carl"].values())


def test_an_encoder_that_could_not_be_timed_is_no_floor() -> None:
    table = comparison_table(summaries(), COSTS[COSTS["encoder"] != "carl"], ENCODERS)
    rows = table[table["encoder"] == "carl"]
    assert not rows["floor"].any() and rows["milliseconds"].isna().all() and not rows["on_front"].any()


def test_a_measure_that_was_not_asked_for_has_no_rows() -> None:
    tables = summaries()
    probe = tables["probe.summary"]
    tables["probe.summary"] = probe[probe["measure"] != "attentive top-1"]
    table = comparison_table(tables, COSTS, ENCODERS)
    assert "clips, attentive" not in set(table["evaluation"]) and "clips, kNN" in set(table["evaluation"])


def test_the_text_marks_what_is_other_than_the_reference() -> None:
    text = comparison_text(comparison_table(summaries(), COSTS, ENCODERS))
    lines = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert "40.0 [35.0, 45.0]-" in lines["carl"] and "60.0 [55.0, 65.0]+" in lines["chance"]
    assert "52.0 [47.0, 57.0]*" in lines["pixels"] and "8.00" in lines["carl"]


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.one_of(st.integers(0, 5), st.just(math.nan))), min_size=1, max_size=8
    )
)
def test_the_front_holds_what_nobody_beats(points: list[tuple[int, float]]) -> None:
    rows = pd.DataFrame(points, columns=["milliseconds", "value"]).astype(float)
    front = on_front(rows)
    for place, (time, value) in enumerate(points):
        beaten = any(t <= time and v >= value and (t, v) != (time, value) for t, v in points)
        assert front[place] == (not beaten and not math.isnan(value))
