from pathlib import Path

import pandas as pd

from vidrep_pipelines.fanout.report import failure_table, for_spreadsheets, write_failures


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


def test_reasons_that_differ_in_particulars_count_together() -> None:
    rows = [
        ("a/x 1", "/data/a/x 1.mp4 has 3 frames"),
        ("b/y", "/data/b/y.mp4 has 12 frames"),
        ("c", "ValueError: bad"),
    ]
    lines = failure_table(pd.DataFrame(rows, columns=["id", "error"])).splitlines()
    assert lines[1:] == ["      2  /data/a/x 1.mp4 has 3 frames (a/x 1, b/y)", "      1  ValueError: bad (c)"]


def test_long_tables_and_reasons_are_cut() -> None:
    names = [f"kind {chr(97 + number)} " + "x" * 200 for number in range(20)]
    text = failure_table(pd.DataFrame({"id": [f"clip_{number}" for number in range(20)], "error": names}))
    assert text.splitlines()[-1].strip() == "and 8 more reasons"
    assert max(map(len, text.splitlines())) < 130


def test_the_file_lists_every_failure_by_reason(tmp_path: Path) -> None:
    rows = [
        ("a", 'rare, "quoted"\nin two lines'),
        *((f"clip {number}", f"has {number}") for number in range(50)),
    ]
    failed = pd.DataFrame(rows, columns=["id", "error"])
    write_failures(failed, tmp_path / "failures.csv")
    listed = pd.read_csv(tmp_path / "failures.csv")
    assert listed["id"].tolist() == [*(f"clip {number}" for number in range(50)), "a"]
    assert listed["error"].tolist()[-1] == rows[0][1]
    write_failures(failed.head(0), tmp_path / "failures.csv")
    assert list(tmp_path.iterdir()) == []
