import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.helpers.kill_points import killed_before_event
from vidrep_pipelines.common import atomic
from vidrep_pipelines.common.atomic import (
    atomic_directory,
    atomic_file,
    exchange,
    publish_file,
    recover_directory,
    remove_directory,
    remove_leftovers,
    temporary_path,
)


@pytest.fixture(params=["as here", "three renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "three renames":
        monkeypatch.setattr(atomic, "_exchanged_at_once", lambda first, second: False)
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
    if not atomic._exchanged_at_once(first, second):
        pytest.skip("this system or file system cannot exchange names")
    monkeypatch.setattr(Path, "rename", lambda *arguments: pytest.fail("renamed"))
    exchange(first, second, tmp_path / "aside")
    assert (_inside(first), _inside(second)) == (["content of a"], ["content of b"])


def test_temporary_names_are_hidden_unique_and_keep_the_suffix(tmp_path: Path) -> None:
    first, second = temporary_path(tmp_path / "a.b.mp4"), temporary_path(tmp_path / "a.b.mp4")
    assert first != second
    assert first.parent == tmp_path
    assert re.fullmatch(r"\.a\.b\.partial-[0-9a-f]{8}-\d+-[0-9a-f]{8}\.mp4", first.name)


def test_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "x.txt"
    with atomic_file(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["x.txt"]


def test_file_stays_as_it_was_after_an_error(tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="interrupted"), atomic_file(target) as temporary:
        temporary.write_text("half")
        raise ValueError("interrupted")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_directory_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for content in ("a", "b"):
        with atomic_directory(target) as temporary:
            (temporary / content).touch()
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_directory_stays_as_it_was_after_an_error(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with atomic_directory(target) as temporary:
        (temporary / "old").touch()
    with pytest.raises(KeyboardInterrupt), atomic_directory(target) as temporary:
        (temporary / "half").touch()
        raise KeyboardInterrupt
    assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def _write(target: Path, name: str) -> None:
    with atomic_directory(target) as temporary:
        (temporary / name).touch()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_kill_at_any_step_of_replacing_leaves_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """The steps are renames; a kill before each of them is an error that nothing may clean up after."""
    if not at_once:
        monkeypatch.setattr(atomic, "_exchanged_at_once", lambda first, second: False)
    heals = [recover_directory, lambda path: remove_leftovers(path.parent), lambda path: _write(path, "new")]
    for number, heal in enumerate(heals):
        for step in count():
            target = tmp_path / f"{number}-{step}" / "folder"
            _write(target, "old")
            killed = killed_before_event(step, lambda target=target: _write(target, "new"))
            heal(target)
            assert [path.name for path in target.iterdir()] in (["old"], ["new"])
            remove_leftovers(target.parent)
            assert [path.name for path in target.parent.iterdir()] == ["folder"]
            if not killed:
                break
        assert step > 3


def test_a_folder_is_removed_whole(tmp_path: Path) -> None:
    for step in count():
        target = tmp_path / str(step) / "folder"
        _write(target, "a")
        (target / "b").touch()
        killed = killed_before_event(step, lambda target=target: remove_directory(target))
        assert not target.exists() or len(list(target.iterdir())) == 2
        if not killed:
            break
    assert step > 3
    assert not target.exists()


def test_a_linked_folder_is_replaced_and_its_content_left_alone(tmp_path: Path) -> None:
    _write(tmp_path / "elsewhere", "old")
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    _write(tmp_path / "folder", "new")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["old"]
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    remove_directory(tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "folder"]
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["old"]


def test_contents_are_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut, a file must not have its final name and no content."""
    flushed: list[Path] = []

    def record(path: Path) -> None:
        assert not target.exists()
        flushed.append(path)

    monkeypatch.setattr(atomic, "_flush", record)
    target = tmp_path / "folder"
    with atomic_directory(target) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a").touch()
        (temporary / "b").touch()
    assert sorted(path.name for path in flushed) == ["a", "b"]
    target = tmp_path / "file"
    (tmp_path / "source").touch()
    publish_file(tmp_path / "source", target)
    assert flushed[-1] == tmp_path / "source"
    assert target.exists()


def test_leftovers_of_a_killed_process_are_found_at_any_depth(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from vidrep_pipelines.common.atomic import atomic_directory, atomic_file\n"
        "with atomic_directory(Path('deep/folder')) as folder, atomic_file(Path('deep/er/x.mp4')) as file:\n"
        "    (folder / 'inside').touch(); file.touch(); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
    (tmp_path / "deep" / "product.mp4").touch()
    assert remove_leftovers(tmp_path) >= 2
    remaining = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))]
    assert remaining == ["deep", "deep/er", "deep/product.mp4"]
    assert remove_leftovers(tmp_path) == 0
    assert remove_leftovers(tmp_path / "nowhere") == 0


def test_replacing_keeps_what_readers_have_open(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    with target.open() as reader:
        with atomic_file(target) as temporary:
            temporary.write_text("new")
        assert reader.read() == "old"
    assert os.listdir(tmp_path) == ["x"]  # noqa: PTH208


@pytest.mark.parametrize("letter", ["a", "ü", "影"])
def test_the_longest_name_that_a_file_system_takes(letter: str, tmp_path: Path) -> None:
    name = letter * (251 // len(letter.encode())) + ".mp4"
    with atomic_file(tmp_path / name) as temporary:
        temporary.write_text("content")
        assert temporary.name.startswith(f".{letter * 50}")
        assert temporary.suffix == ".mp4"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from vidrep_pipelines.common.atomic import atomic_directory, atomic_file\n"
        "data = Path(sys.argv[1])\n"
        "with atomic_file(data / 'a[1].png') as file, atomic_directory(data / 'b') as folder:\n"
        "    file.touch(); (folder / 'c').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    with atomic_file(tmp_path / "other.png") as living:
        living.touch()
        with atomic_file(tmp_path / "a[1].png") as file, atomic_file(tmp_path / "a[1].png") as second:
            file.touch()
            second.touch()
        with atomic_directory(tmp_path / "b") as folder:
            (folder / "c").touch()
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, "a[1].png", "b"])


def test_containers_of_one_name_leave_each_others_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's process has a number that nobody has here."""
    atomic._machine.cache_clear()
    with monkeypatch.context() as there:
        there.setattr(os, "readlink", lambda path: "pid:[1]")
        there.setattr(os, "getpid", lambda: 2**30)
        writing = temporary_path(tmp_path / "a.json")
        writing.touch()
    atomic._machine.cache_clear()
    with atomic_file(tmp_path / "a.json") as temporary:
        temporary.touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([writing.name, "a.json"])


def test_a_write_into_a_large_folder_does_not_look_at_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else unpacking clips side by side would take the square of their number."""
    seen: list[str] = []

    class Counted:
        def __init__(self, entries: Iterator[os.DirEntry[str]]) -> None:
            self._entries = entries

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return (seen.append(entry.name) or entry for entry in self._entries)

        def __exit__(self, *_: object) -> None:
            pass

    for number in range(20):
        (tmp_path / str(number)).touch()
    scan = os.scandir
    monkeypatch.setattr(atomic, "_MOST_NAMES", 5)
    monkeypatch.setattr(os, "scandir", lambda path: Counted(scan(path)))
    with atomic_file(tmp_path / "new") as temporary:
        temporary.touch()
    assert (tmp_path / "new").exists()
    assert len(seen) == 5
