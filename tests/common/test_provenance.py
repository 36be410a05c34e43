from pathlib import Path

import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.provenance import Provenance


def test_a_record_lies_beside_its_result(tmp_path: Path) -> None:
    result = tmp_path / "davis" / "summary.parquet"
    assert Provenance.of(result) is None
    made = Provenance(
        dataset="davis.summary", measured_on="clips", versions={"python": "3"}, pipelines=("a", "b")
    )
    made.write_beside(result)
    assert [file.name for file in result.parent.iterdir()] == ["summary.provenance.json"]
    assert Provenance.of(result) == made


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x.provenance.json").write_text('{"dataset": "x", "new": 1}')
    assert Provenance.of(tmp_path / "x.parquet") == Provenance(dataset="x")


@pytest.mark.parametrize("text", ["{", "[]", '{"dataset": 3}', "\udcff"])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.provenance.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"x\.provenance\.json is damaged.*Remedy: delete it"):
        Provenance.of(tmp_path / "x.json")
