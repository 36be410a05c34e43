import pandas as pd

from vidrep_pipelines.fanout.report import failure_table


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
