from pathlib import Path

import pytest

from vidrep_pipelines.common import exchange as module
from vidrep_pipelines.common.exchange import exchange


@pytest.fixture(params=["as here", "three renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "three renames":
        monkeypatch.setattr(module, "_exchanged_at_once", lambda first, second: False)
    return str(request.param)


def _folders(root: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / f"content of {name}").touch()
    return root / "a", root / "b"


def _inside(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.usefixtures("way")
def test_folders_swap_their_names(tmp_path: Path) -> None:
    first, second = _folders(tmp_path)
    exchange(first, second, tmp_path / "aside")
    assert (_inside(first), _inside(second)) == (["content of b"], ["content of a"])
    assert sorted(_inside(tmp_path)) == ["a", "b"]


@pytest.mark.usefixtures("way")
def test_after_an_error_all_is_as_before(tmp_path: Path) -> None:
    first, second = _folders(tmp_path)
    with pytest.raises(FileNotFoundError):
        exchange(first, tmp_path / "absent", tmp_path / "aside")
    assert (_inside(first), _inside(second)) == (["content of a"], ["content of b"])
    assert sorted(_inside(tmp_path)) == ["a", "b"]


def test_there_is_no_moment_without_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _folders(tmp_path)
    if not module._exchanged_at_once(first, second):
        pytest.skip("this system or file system cannot exchange names")
    monkeypatch.setattr(Path, "rename", lambda *arguments: pytest.fail("renamed"))
    exchange(first, second, tmp_path / "aside")
    assert (_inside(first), _inside(second)) == (["content of a"], ["content of b"])
