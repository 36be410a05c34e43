import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vidrep_pipelines.common import atomic
from vidrep_pipelines.common.atomic import (
    atomic_directory,
    atomic_file,
    publish_file,
    remove_leftovers,
    temporary_path,
)


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
