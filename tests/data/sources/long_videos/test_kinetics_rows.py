from pathlib import Path, PurePosixPath

import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.kinetics_rows import (
    DAMAGED,
    missing_videos,
    read_kinetics_rows,
)


def written(folder: Path, text: str) -> Path:
    path = folder / "train.csv"
    path.write_text(text)
    return path


def test_rows_without_the_damaged_videos(tmp_path: Path) -> None:
    damaged = "".join(f"train/{name},3\n" for name in sorted(DAMAGED))
    path = written(tmp_path, f'lunge/a.mp4,12\n{damaged}\n"odd, name/b.mp4",-1\n')
    rows = read_kinetics_rows(path)
    assert rows == [(PurePosixPath("lunge/a.mp4"), 12), (PurePosixPath("odd, name/b.mp4"), -1)]
    (tmp_path / "lunge").mkdir()
    (tmp_path / "lunge/a.mp4").touch()
    assert missing_videos(tmp_path, rows) == [PurePosixPath("odd, name/b.mp4")]


@pytest.mark.parametrize(
    "line",
    ["a.mp4", "a.mp4,b", ",3", "a.mp4,1,2", "/a.mp4,1", "../a.mp4,1", "a.mp4,--5", "a.mp4,1.5", '"a.mp4,1'],
)
def test_wrong_lines_are_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"train\.csv, line 2"):
        read_kinetics_rows(written(tmp_path, f"a.mp4,0\n{line}\n"))


def test_empty_and_missing_lists(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no videos"):
        read_kinetics_rows(written(tmp_path, "\n"))
    with pytest.raises(InputError, match="cannot be read"):
        read_kinetics_rows(tmp_path / "none.csv")
