"""The table of sequences and the handles made from its rows."""

import pickle
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.label_sequences import write_release
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import VipConfig
from vidrep_pipelines.data.label_sequences.inspection import has_truth
from vidrep_pipelines.data.label_sequences.sequence import (
    SEQUENCE_COLUMNS,
    MaskSequence,
    SequenceFiles,
    build_sequence_table,
    files_by_stem,
    usable,
)
from vidrep_pipelines.data.sources.vip import inspect_vip, vip_sequences

HERE = Path("vip_inspection")


@pytest.fixture
def files(tmp_path: Path) -> SequenceFiles:
    return vip_sequences(write_release("vip", tmp_path / "VIP"), VipConfig())[0]


@pytest.fixture
def outcome(files: SequenceFiles) -> pd.DataFrame:
    """The manifest of an inspection: one sequence that can be used, and one that cannot."""
    good = {"id": "videos1", "status": "ok", "error": None, "digest": files.digest, **inspect_vip(files, {})}
    bad = {"id": "videos2", "status": "failed", "error": "frames are missing", "digest": "d"}
    return pd.DataFrame([good, bad])


def test_types_hold_also_where_a_sequence_failed(outcome: pd.DataFrame, files: SequenceFiles) -> None:
    table = build_sequence_table(outcome, [files], HERE)
    assert {name: str(kind) for name, kind in table.dtypes.items()} == SEQUENCE_COLUMNS
    assert table["error"].isna().tolist() == [True, False]
    assert table["frames"].isna().tolist() == [False, True]
    assert usable(table)["id"].tolist() == ["videos1"]


def test_nothing_usable(outcome: pd.DataFrame) -> None:
    failed = build_sequence_table(outcome[["id", "status", "error", "digest"]].iloc[1:], [], HERE)
    assert {name: str(kind) for name, kind in failed.dtypes.items()} == SEQUENCE_COLUMNS
    with pytest.raises(InputError, match="None of 1 sequences can be evaluated: frames are missing"):
        usable(failed)
    with pytest.raises(InputError, match="the list is empty"):
        usable(build_sequence_table(outcome.iloc[:0], [], HERE))


def test_handle_of_a_row_reads_lazily(outcome: pd.DataFrame, files: SequenceFiles) -> None:
    row = usable(build_sequence_table(outcome, [files], HERE)).to_dict("records")[0]
    handle = pickle.loads(pickle.dumps(MaskSequence.of(row)))
    assert len(handle) == row["frames"]
    assert handle.frame(1).shape == (row["height"], row["width"], 3)
    handle.frame_paths[1].unlink()
    with pytest.raises(InputError, match="is missing"):
        handle.frame(1)


def test_files_that_went_away_since_the_inspection(outcome: pd.DataFrame, files: SequenceFiles) -> None:
    folder = files.frame_folder
    next(folder.iterdir()).unlink()
    table = build_sequence_table(outcome, [files], HERE)
    assert "Remedy: delete vip_inspection" in table["error"][0]
    assert str(folder) in table["error"][0]


def test_places_are_those_of_now_and_not_of_an_earlier_inspection(
    outcome: pd.DataFrame, files: SequenceFiles, tmp_path: Path
) -> None:
    """Manifests of earlier versions hold the places."""
    former = outcome.assign(frame_folder=["/former/frames", None], label_path=["/former/labels", None])
    table = build_sequence_table(former, [files], HERE)
    assert table["frame_folder"].tolist() == [str(files.frame_folder), pd.NA]
    assert table["label_path"].tolist() == [str(files.label_path), pd.NA]
    assert pd.isna(table["error"][0])


def test_an_inspection_of_another_list(outcome: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"is of another list: it has videos1.*whole pipeline"):
        build_sequence_table(outcome, [], HERE)


def test_files_are_ordered_by_name(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.png", ".c.png", "d.txt", "a2.png"):
        (tmp_path / name).touch()
    assert list(files_by_stem(tmp_path, (".png",))) == ["a", "a2", "b"]
    assert files_by_stem(tmp_path / "none", (".png",)) == {}


def test_digest_of_files_that_do_not_exist(tmp_path: Path) -> None:
    files = SequenceFiles("x", tmp_path / "frames", tmp_path / "labels.mat")
    before = files.digest
    (tmp_path / "labels.mat").touch()
    assert files.digest != before


def test_a_broken_link_among_the_frames_has_a_digest(tmp_path: Path) -> None:
    """It is reported when its sequence is inspected, and stops no other one before."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames/00000.jpg").symlink_to(tmp_path / "nowhere.jpg")
    files = SequenceFiles("x", tmp_path / "frames", tmp_path / "labels.mat")
    before = files.digest
    (tmp_path / "nowhere.jpg").touch()
    assert files.digest != before


def test_results_can_be_scored_where_a_later_frame_has_labels(tmp_path: Path) -> None:
    files = vip_sequences(write_release("vip", tmp_path / "VIP"), VipConfig())[0]
    assert has_truth(files)
    first, *later = sorted(files.label_path.iterdir())
    for path in later[1:]:
        path.unlink()
    assert has_truth(files)
    later[0].unlink()
    assert first.is_file()
    assert not has_truth(files)
