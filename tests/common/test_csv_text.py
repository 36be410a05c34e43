import pandas as pd

from vidrep_pipelines.common.csv_text import for_spreadsheets


def test_texts_that_look_like_formulas_are_marked() -> None:
    table = pd.DataFrame(
        {
            "id": ["=1+1", "+a", "-b", "@c", "\td", "plain", "a=b", ""],
            "error": [None, "x"] * 4,
            "score": [-1.5, 2.0] * 4,
        }
    )
    found = for_spreadsheets(table)
    assert found["id"].tolist() == ["'=1+1", "'+a", "'-b", "'@c", "'\td", "plain", "a=b", ""]
    pd.testing.assert_frame_equal(found[["error", "score"]], table[["error", "score"]])
    assert table["id"][0] == "=1+1"
