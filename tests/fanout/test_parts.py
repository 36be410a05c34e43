import pickle
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from tests.fanout.jobs import SERIAL, faulty_job, value_job
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.parts import table_to_frame
from vidrep_pipelines.fanout.runner import load_parts, run_job


def test_handle_travels(tmp_path: Path) -> None:
    parts = run_job(value_job([1, 2]), tmp_path)
    copy = pickle.loads(pickle.dumps(parts))
    assert copy.ids == parts.ids
    assert copy.content_digest == parts.content_digest == load_parts(tmp_path).content_digest


def test_a_loaded_handle_reads_its_rows_late(tmp_path: Path) -> None:
    made = run_job(value_job([1, 2]), tmp_path)
    loaded = load_parts(tmp_path)
    assert len(pickle.dumps(loaded)) < 1000
    assert "table" not in vars(loaded)
    pd.testing.assert_frame_equal(loaded.table, made.table)


def test_unknown_product(tmp_path: Path) -> None:
    parts = run_job(value_job([1]), tmp_path)
    with pytest.raises(FanOutError, match=r"no \.avi product"):
        parts.path("folder_1/item 1", ".avi")


def test_content_digest_ignores_times_but_not_outcomes(tmp_path: Path) -> None:
    first = run_job(faulty_job({"a": None, "b": None}, SERIAL), tmp_path / "1")
    second = run_job(faulty_job({"a": None, "b": None}, SERIAL), tmp_path / "2")
    third = run_job(faulty_job({"a": None, "b": "raise"}, SERIAL), tmp_path / "3")
    assert first.content_digest == second.content_digest != third.content_digest


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FanOutError, match="no job was run"):
        load_parts(tmp_path / "nowhere")


def test_nulls_do_not_turn_numbers_into_floats() -> None:
    table = pa.table(
        {"whole": [1, None], "all": [1, 2], "yes": [True, None], "both": [True, False], "text": ["a", None]}
    )
    frame = table_to_frame(table)
    kinds = {name: str(kind).lower() for name, kind in frame.dtypes.items() if name != "text"}
    assert kinds == {"whole": "int64", "all": "int64", "yes": "boolean", "both": "bool"}
    assert frame["whole"].iloc[1] is pd.NA
    assert str(frame["whole"].dtype) == "Int64"
