"""Weights from elsewhere."""

import argparse
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_weights import check_weight_file
from vidrep_pipelines.models.shared.weight_file import (
    read_content,
    read_weights,
    some_of,
    without_wrappers,
    write_weights,
)

STATE = {"a": torch.ones(2), "b": torch.zeros(3)}


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def test_command_lines_in_the_file_do_no_harm(tmp_path: Path) -> None:
    torch.save({"model": STATE, "args": argparse.Namespace(lr=1)}, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth").keys() == STATE.keys()


def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": STATE, "more": Malicious()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth was refused and nothing in it was executed"):
        read_weights(tmp_path / "w.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_damaged_and_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_weights(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x80\x02not weights")
    with pytest.raises(InputError, match=name):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("content", [[1, 2], {}, {"model": {}}, {"model": {"a": 1}}, {"a": "text"}])
def test_files_without_weights(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth holds no"):
        read_weights(tmp_path / "w.pth")


def test_names() -> None:
    wrapped = {"module.backbone.a": STATE["a"], "b.module.": STATE["b"]}
    assert list(without_wrappers(wrapped)) == ["a", "b.module."]
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert some_of(["a"]) == "a"


MODULE = "some_lightning"


@pytest.fixture
def foreign_classes(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Classes that exist where the file is written, and not where it is read."""
    module = types.ModuleType(MODULE)

    class Callback:
        def __reduce__(self) -> tuple[object, ...]:
            return Callback, (1, "two"), {"best": torch.ones(1)}

    Callback.__module__, Callback.__qualname__, Callback.__name__ = MODULE, "Callback", "Callback"
    module.Callback = Callback  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    return module


@pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
def test_classes_of_other_programs_are_passed_over(
    tmp_path: Path,
    foreign_classes: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    zipped: bool,
) -> None:
    kind = foreign_classes.Callback
    content = {"callbacks": {kind: {"best": 1.0}}, "hyper_parameters": kind(), "state_dict": STATE}
    torch.save(content, tmp_path / "last.ckpt", _use_new_zipfile_serialization=zipped)
    monkeypatch.delitem(sys.modules, MODULE)
    weights = read_weights(tmp_path / "last.ckpt", "state_dict")
    assert weights.keys() == STATE.keys()
    assert all(torch.equal(weights[name], STATE[name]) for name in STATE)
    assert MODULE not in sys.modules


def test_a_whole_model_is_named_and_not_run(
    tmp_path: Path, foreign_classes: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(foreign_classes.Callback(), tmp_path / "model.pth")
    monkeypatch.delitem(sys.modules, MODULE)
    with pytest.raises(InputError, match=rf"no weights but an object of the program {MODULE}\.Callback"):
        read_weights(tmp_path / "model.pth")


def test_what_is_refused_is_named_without_colors(tmp_path: Path) -> None:
    torch.save({"model": STATE, "more": Malicious()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"it wants to use posix\.system") as caught:
        read_weights(tmp_path / "w.pth")
    assert "\x1b" not in str(caught.value) and "weights_only" not in str(caught.value)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0d71\nsize 19332096\n"


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER.encode(), "a Git-LFS pointer to a file of 19332096 bytes.*git lfs pull"),
        (b"<!DOCTYPE html><title>Virus scan warning</title>", "a web page"),
        (b"\x1f\x8b\x08\x00rest", r"compressed \(gzip\)"),
        (b"", "empty"),
    ],
    ids=["pointer", "page", "gzip", "empty"],
)
def test_what_is_there_in_place_of_weights_is_said(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (check_weight_file, read_content):
        with pytest.raises(InputError, match=f"{name} holds no weights: it is {said}"):
            read(tmp_path / name)


def test_zip_archives_of_other_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("weights/w.pth", b"x")
    with pytest.raises(InputError, match=r"w\.pth is damaged .* zip archive of other files"):
        read_weights(tmp_path / "w.pth")


def test_archives_that_unpack_to_more_are_refused_before(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith("data/0"))
    members[name] = bytes(50 << 20)
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with within_limits(mebibytes=16), pytest.raises(InputError, match="unpack to far more than it holds"):
        read_weights(tmp_path / "w.pth")


def test_structures_without_end_are_refused_before_they_are_built(tmp_path: Path) -> None:
    key: tuple[object, ...] = ()
    for _ in range(40):
        key = (key, key)
    (tmp_path / "w.pth").write_bytes(b"".join(map(pickle.dumps, (1, 2, 3, [key], 5))))
    with (
        within_limits(),
        pytest.raises(InputError, match=r"w\.pth was refused .*it would grow to more than"),
    ):
        read_weights(tmp_path / "w.pth")


def test_equal_weights_are_left_alone_and_others_replace_them(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.safetensors"
    state = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.ones(2)}
    write_weights(state, path)
    assert load_file(path)["b"].tolist() == [[0, 3], [1, 4], [2, 5]]
    inode = path.stat().st_ino
    write_weights(dict(reversed(state.items())), path)
    assert path.stat().st_ino == inode
    write_weights({**state, "a": torch.zeros(2)}, path)
    assert load_file(path)["a"].tolist() == [0, 0]
    assert list(path.parent.iterdir()) == [path]
