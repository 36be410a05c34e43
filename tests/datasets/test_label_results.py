"""Index PNGs in the toolkit's layout."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from PIL import Image

from vidrep_pipelines.data.label_sequences.images import DAVIS_PALETTE, write_labels
from vidrep_pipelines.datasets.label_results import LabelResults, PredictedSequence, ResultExport

MAPS = np.random.default_rng(0).integers(0, 4, (3, 6, 8)).astype(np.uint8)


def sequence(folder: Path, name: str, digest: str = "1", maps: np.ndarray = MAPS) -> PredictedSequence:
    first = folder / "annotation.png"
    if not first.exists():
        write_labels(first, np.full((6, 8), 3, np.uint8))
    names = ("00000", "00001", "00002")
    return PredictedSequence("rsp", name, names, first, partial(np.array, maps), digest)


def export(*sequences: PredictedSequence) -> ResultExport:
    return ResultExport(sequences, {"rsp/total-val.csv": pd.DataFrame({"Sequence": ["-a"], "J": [0.12345]})})


def test_layout(tmp_path: Path) -> None:
    dataset = LabelResults(filepath=tmp_path / "out")
    assert not dataset.exists()
    assert dataset.preview() == "{}"
    with pytest.raises(DatasetError):
        dataset.load()
    dataset.save(export(sequence(tmp_path, "bear")))
    folder = dataset.load() / "rsp/results/bear"
    assert sorted(path.name for path in folder.iterdir()) == ["00000.png", "00001.png", "00002.png"]
    assert (folder / "00000.png").read_bytes() == (tmp_path / "annotation.png").read_bytes()
    with Image.open(folder / "00002.png") as image:
        assert image.mode == "P"
        assert tuple(image.getpalette() or ()) == DAVIS_PALETTE
        np.testing.assert_array_equal(np.array(image), MAPS[2])
    assert (dataset.load() / "rsp/total-val.csv").read_text() == "Sequence,J\n-a,0.123\n"
    assert "bear" in dataset.preview()


def test_only_what_is_new_is_written(tmp_path: Path) -> None:
    dataset = LabelResults(filepath=tmp_path / "out")
    dataset.save(export(sequence(tmp_path, "bear"), sequence(tmp_path, "boat")))
    folder = dataset.load() / "rsp/results"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    dataset.save(export(sequence(tmp_path, "bear"), sequence(tmp_path, "boat", "2", MAPS[::-1])))
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert {path.parent.name for path in before if before[path] != after[path]} == {"boat"}
    with Image.open(folder / "boat/00001.png") as image:
        np.testing.assert_array_equal(np.array(image), MAPS[1])


def test_what_is_no_longer_there_is_removed_and_what_was_deleted_is_made_again(tmp_path: Path) -> None:
    dataset = LabelResults(filepath=tmp_path / "out")
    dataset.save(export(sequence(tmp_path, "bear"), sequence(tmp_path, "boat")))
    folder = dataset.load() / "rsp/results"
    for path in (folder / "bear").iterdir():
        path.unlink()
    (folder / "bear").rmdir()
    dataset.save(export(sequence(tmp_path, "bear")))
    assert [path.name for path in folder.iterdir()] == ["bear"]
    assert len(list((folder / "bear").iterdir())) == 3


def test_a_first_map_without_an_annotation_to_copy_is_written(tmp_path: Path) -> None:
    dataset = LabelResults(filepath=tmp_path / "out")
    dataset.save(export(replace(sequence(tmp_path, "bear"), first=None)))
    with Image.open(dataset.load() / "rsp/results/bear/00000.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), MAPS[0])


@pytest.mark.parametrize("stamps", ["{", "[1]", '"text"', '{"rsp/results/bear": 7}'])
def test_a_damaged_record_of_what_was_written_costs_only_writing_it_again(
    tmp_path: Path, stamps: str
) -> None:
    dataset = LabelResults(filepath=tmp_path / "out")
    dataset.save(export(sequence(tmp_path, "bear")))
    stamp = tmp_path / "out/exported.json"
    content = stamp.read_bytes()
    stamp.write_text(stamps)
    dataset.save(export(sequence(tmp_path, "bear")))
    assert stamp.read_bytes() == content
