import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.models.carl.videos import label_index
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.label_table import LabelRows, write_labels

VIDEOS: list[tuple[str, str, list[int]]] = [
    ("train/b", "bowl", [0, 1, 1, 2]),
    ("train/a", "squat", [-1, 287]),
    ("train/c", "squat", []),
]


@pytest.fixture
def table(tmp_path: Path) -> LabelRows:
    return LabelRows(write_labels(label_index(*VIDEOS), tmp_path))


def test_labels_and_actions_are_found_by_name(table: LabelRows) -> None:
    for rows in (table, pickle.loads(pickle.dumps(table))):
        for name, action, labels in VIDEOS:
            found = rows.labels(name, len(labels))
            assert found.dtype == np.int64 and found.tolist() == labels
            assert rows.action(name) == action


def test_equal_labels_are_left_alone_and_others_replace_them(table: LabelRows) -> None:
    inode = table.path.stat().st_ino
    write_labels(label_index(*VIDEOS), table.path.parent)
    assert table.path.stat().st_ino == inode
    write_labels(label_index(*VIDEOS[:2]), table.path.parent)
    assert table.path.stat().st_ino != inode
    table.path.write_bytes(b"damaged")
    assert LabelRows(write_labels(label_index(*VIDEOS), table.path.parent)).action("train/c") == "squat"


def test_labels_of_another_length_and_unknown_videos_are_refused(table: LabelRows) -> None:
    with pytest.raises(InputError, match="train/b has 5 frames but 4 labels"):
        table.labels("train/b", 5)
    with pytest.raises(InputError, match="no labels of train/x"):
        table.labels("train/x", 1)


def test_other_files_are_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "labels.arrow"
    path.write_text("nothing")
    for rows in (LabelRows(path), LabelRows(tmp_path / "nowhere.arrow")):
        with pytest.raises(InputError, match="no table of frame labels"):
            rows.action("a")
