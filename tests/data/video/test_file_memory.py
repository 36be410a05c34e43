import os
from pathlib import Path

import pytest

from vidrep_pipelines.data.video.file_memory import FileMemory


def content(path: Path) -> str:
    return path.read_text()


def length(path: Path) -> int:
    return len(path.read_text())


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a").write_text("one")
    return tmp_path / "a"


def test_results_are_kept_until_the_file_changes(file, monkeypatch):
    memory = FileMemory(4)
    assert (memory.recall(file, content), memory.recall(file, length)) == ("one", 3)
    stamp = file.stat().st_mtime_ns
    monkeypatch.setattr(Path, "read_text", None)
    assert (memory.recall(file, content), memory.recall(file, length)) == ("one", 3)
    monkeypatch.undo()
    file.write_text("two")
    os.utime(file, ns=(stamp, stamp))
    assert memory.recall(file, content) == "one", "nothing tells this state from the one before"
    os.utime(file, ns=(stamp, stamp + 1))
    assert memory.recall(file, content) == "two"


def test_what_was_not_asked_for_longest_is_forgotten_first(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    made = []

    def make(path):
        made.append(path.name)
        return path.name

    memory = FileMemory(2)
    for number in (0, 1, 0, 2, 0, 1):
        assert memory.recall(paths[number], make) == paths[number].name
    assert made == ["a", "b", "c", "b"]


def test_results_can_be_corrected(file):
    memory = FileMemory(2)
    memory.recall(file, content)
    memory.replace(file, content, "better")
    assert memory.recall(file, content) == "better"
    assert memory.recall(file, length) == 3


def test_a_file_is_met_again_in_the_same_state_only(file):
    memory = FileMemory(3)
    assert [memory.meets_again(file) for _ in range(3)] == [False, True, True]
    file.write_text("longer")
    assert [memory.meets_again(file) for _ in range(2)] == [False, True]


def test_errors_are_not_kept(tmp_path):
    memory = FileMemory(2)
    with pytest.raises(FileNotFoundError):
        memory.recall(tmp_path / "absent", content)
    assert not memory.meets_again(tmp_path / "absent")
    (tmp_path / "absent").write_text("here")
    assert memory.recall(tmp_path / "absent", content) == "here"
