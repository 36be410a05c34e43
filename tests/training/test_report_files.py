import logging
from pathlib import Path

import pytest

from tests.training.toy_task import TOY_TRAIN, toy_spec
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.report_files import ReportFiles


def _files(folder: Path) -> ReportFiles:
    (folder / "run").mkdir(exist_ok=True)
    (folder / "shown" / "inner").mkdir(parents=True, exist_ok=True)
    return ReportFiles(folder / "run", folder / "shown")


def test_pictures_leave_and_return(tmp_path: Path) -> None:
    files = _files(tmp_path)
    pictures = [tmp_path / "shown" / "a.png", tmp_path / "shown" / "inner" / "b.png"]
    for picture in pictures:
        picture.write_text(picture.name)
    (tmp_path / "shown" / "curves.png").write_text("of somebody else")
    files.add(pictures)
    files.add(pictures[:1])
    assert files.paths() == pictures
    files.keep()
    files.take_away(ReportFiles(tmp_path / "other", tmp_path / "shown"))
    assert [path.name for path in tmp_path.joinpath("shown").rglob("*.png")] == ["curves.png"]
    assert files.waiting
    files.put_back()
    assert [picture.read_text() for picture in pictures] == ["a.png", "b.png"]
    assert not files.waiting


def test_pictures_of_the_current_run_and_later_ones_stay(tmp_path: Path) -> None:
    former, current = _files(tmp_path), ReportFiles(tmp_path / "current", tmp_path / "shown")
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / "shown" / name).write_text(name)
    former.add([tmp_path / "shown" / name for name in ("a.png", "b.png", "c.png")])
    former.keep()
    current.add([tmp_path / "shown" / "a.png"])
    (tmp_path / "shown" / "b.png").unlink()
    (tmp_path / "shown" / "b.png").write_text("made since")
    former.take_away(current)
    assert sorted(path.name for path in (tmp_path / "shown").glob("*.png")) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    "noted", ["/etc/hostname", "../secret", "inner/../../secret", "link/secret", "", "."]
)
def test_files_outside_the_report_folder_are_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, noted: str
) -> None:
    files = _files(tmp_path)
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "shown" / "link").symlink_to(tmp_path)
    (tmp_path / "run" / "reports.json").write_text(f'["{noted}", "inner/b.png"]')
    (tmp_path / "shown" / "inner" / "b.png").write_text("b")
    assert files.paths() == [tmp_path / "shown" / "inner" / "b.png"]
    files.keep()
    files.take_away(ReportFiles(tmp_path / "other", tmp_path / "shown"))
    assert (tmp_path / "secret").read_text() == "mine"
    assert [path.name for path in (tmp_path / "run" / "reports").rglob("*") if path.is_file()] == ["b.png"]
    assert "names files outside" in caplog.text


def test_absolute_paths_of_earlier_versions_are_found_where_the_folder_is_now(tmp_path: Path) -> None:
    files = _files(tmp_path)
    (tmp_path / "run" / "reports.json").write_text('["/gone/shown/x/shown/inner/b.png"]')
    assert files.paths() == [tmp_path / "shown" / "inner" / "b.png"]


@pytest.mark.parametrize("damage", [b"[", b"\xff", b"{}", b"[3]", b"null", b""])
def test_a_damaged_list_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    run_training(toy_spec(tmp_path))
    (tmp_path / "run" / "reports.json").write_bytes(damage)
    (tmp_path / "run" / "result.json").unlink()
    with caplog.at_level(logging.WARNING):
        result = run_training(toy_spec(tmp_path))
    assert [path.name for path in result.reports] == ["toy-0012.txt"]
    assert "reports.json is damaged" in caplog.text
    (tmp_path / "run" / "reports.json").write_bytes(damage)
    changed = run_training(toy_spec(tmp_path, train=TOY_TRAIN.model_copy(update={"seed": 9})))
    assert changed.status == "trained"
