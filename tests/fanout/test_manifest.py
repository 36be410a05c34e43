from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from vidrep_pipelines.fanout import manifest
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.journal import JournalRow
from vidrep_pipelines.fanout.manifest import (
    Stamp,
    conform_manifest,
    failed_rows,
    manifest_schema,
    partial_rows,
    read_manifest,
    read_stamp,
    recover_manifest,
    rows_to_table,
    write_manifest,
    write_stamp,
)


def _row(name: str, **facts: object) -> JournalRow:
    fixed = {
        "id": name,
        "status": "ok",
        "error": None,
        "seconds": 0.5,
        "bytes": 1,
        "digest": "d",
        "attempts": 1,
    }
    return {**fixed, "facts": facts}


def _stamp(items: int, complete: bool = True) -> Stamp:
    return Stamp("job", (".mp4", ".h5"), "digest", items, complete)


def _write(path: Path, *names: str) -> None:
    write_manifest(path, [rows_to_table([_row(name)]) for name in names], _stamp(len(names)))


def test_missing_manifest_is_an_empty_one(tmp_path: Path) -> None:
    assert len(read_manifest(tmp_path / "none")) == 0
    assert read_stamp(tmp_path / "none") is None


def test_a_folder_of_parquet_files_that_anybody_can_read(tmp_path: Path) -> None:
    _write(tmp_path / "manifest", *"abc")
    files = sorted(path.name for path in (tmp_path / "manifest").iterdir())
    assert files == ["_stamp.json", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert pd.read_parquet(tmp_path / "manifest")["id"].tolist() == ["a", "b", "c"]
    assert read_manifest(tmp_path / "manifest")["id"].to_pylist() == ["a", "b", "c"]
    assert read_stamp(tmp_path / "manifest") == _stamp(3)


def test_another_stamp_keeps_the_rows(tmp_path: Path) -> None:
    _write(tmp_path / "manifest", *"ab")
    write_stamp(tmp_path / "manifest", _stamp(2, complete=False))
    assert read_stamp(tmp_path / "manifest") == _stamp(2, complete=False)
    assert len(read_manifest(tmp_path / "manifest")) == 2


@pytest.mark.parametrize("step", ["parts", "flush", "aside", "into place", "removal"])
def test_a_writer_killed_at_any_step_leaves_one_whole_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "manifest"
    _write(path, "old")

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    renames: list[Path] = []
    rename = Path.rename

    def counted(self: Path, target: Path) -> Path:
        moves = [move for move in renames if move.name.startswith("manifest")]
        if self.name.startswith("manifest") and len(moves) == {"aside": 0, "into place": 1}.get(step, 9):
            raise Killed
        renames.append(self)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted)
        if step == "parts":
            patch.setattr(manifest.pq, "write_table", killed)
        if step == "flush":
            patch.setattr("vidrep_pipelines.common.atomic._flush", killed)
        if step == "removal":
            patch.setattr(manifest, "_remove", killed)
        with pytest.raises(Killed):
            _write(path, "new", "newer")
    recover_manifest(path)
    names = ["old"] if step in ("parts", "flush", "aside") else ["new", "newer"]
    assert read_manifest(path)["id"].to_pylist() == names
    assert read_stamp(path) == _stamp(len(names))
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest"]


def test_facts_of_different_types() -> None:
    def common(*kinds: pa.DataType) -> pa.DataType:
        return manifest_schema(["fact"], [{"fact": kind} for kind in kinds]).field("fact").type

    whole, fraction, text, truth, nothing = (
        pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.null()
    )  # fmt: skip
    assert common(whole, nothing) == whole
    assert common(whole, fraction, nothing) == fraction
    assert common(text, whole) == common(truth, whole) == common(truth, fraction) == text
    assert common(nothing) == nothing


def test_rows_follow_the_schema() -> None:
    schema = manifest_schema(
        ["size", "rate", "rare"], [{"size": pa.string(), "rate": pa.float64(), "rare": pa.null()}]
    )
    rows = [_row("a", size=1, rate=1), _row("b", rate=2.5, size="big"), _row("c")]
    table = rows_to_table(rows, schema)
    assert table.schema == schema
    assert table["size"].to_pylist() == ["1", "big", None]
    assert table["rate"].to_pylist() == [1.0, 2.5, None]
    assert conform_manifest(rows_to_table(rows[2:]), schema).schema == schema


def test_rows_without_a_schema_have_the_types_of_their_values() -> None:
    table = rows_to_table([_row("a", number=1, mixed=1), _row("b", number=2.5, mixed="one", rare=None)])
    kinds = {name: table.schema.field(name).type for name in ("number", "mixed", "rare")}
    assert kinds == {"number": pa.float64(), "mixed": pa.string(), "rare": pa.null()}


def test_damaged_files_are_named(tmp_path: Path) -> None:
    _write(tmp_path / "manifest", "a")
    (tmp_path / "manifest" / "part-00000.parquet").write_bytes(b"nothing")
    for read in (read_manifest, failed_rows, partial_rows):
        with pytest.raises(FanOutError, match=r"part-00000\.parquet is damaged"):
            read(tmp_path / "manifest")
    (tmp_path / "manifest" / "_stamp.json").write_text('{"job": 1}')
    with pytest.raises(FanOutError, match=r"_stamp\.json is damaged"):
        read_stamp(tmp_path / "manifest")
