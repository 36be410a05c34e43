from pathlib import Path

import h5py
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.truth import read_truth


def test_what_is_no_truth_file_is_named(tmp_path: Path) -> None:
    text = tmp_path / "clip.h5"
    text.write_text("no")
    with pytest.raises(InputError, match=r"clip\.h5.*render again"):
        read_truth(text)
    with pytest.raises(InputError, match="absent"):
        read_truth(tmp_path / "absent.h5")


def test_a_file_with_something_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.h5"
    with h5py.File(path, "w") as file:
        file["masks"] = [1, 2]
    with pytest.raises(InputError, match=r"half\.h5"):
        read_truth(path)
