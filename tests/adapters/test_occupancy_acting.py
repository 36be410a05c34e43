import pandas as pd
import pytest

from vidrep_pipelines.adapters.occupancy_acting import acting_tables


def test_leads_are_of_pairs() -> None:
    rows = pd.DataFrame({
        "condition": ["occupancy"] * 4 + ["cloned"] * 4,
        "episode": list("abcd") * 2,
        "task": "push",
        "success": [True, True, True, False, True, False, False, False],
        "reward": [0.9, 0.9, 0.8, 0.0, 0.9, 0.1, 0.0, 0.2],
        "steps": 40,
        "renderer": "x",
    })  # fmt: skip
    reached, leads = acting_tables(rows)
    assert reached.set_index("condition")["success"].to_dict() == {"occupancy": 0.75, "cloned": 0.25}
    assert reached["low"].between(0, reached["success"]).all()
    lead = leads.set_index("than").loc["cloned"]
    assert lead["difference"] == pytest.approx(0.5) and (lead["only_second"], lead["only_first"]) == (2, 0)
    assert lead["progress"] == pytest.approx(0.35) and lead["progress_low"] < 0.35 < lead["progress_high"]
    assert acting_tables(rows[rows["condition"] == "cloned"])[1].empty
