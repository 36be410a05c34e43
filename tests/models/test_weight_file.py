"""Weights from elsewhere."""

import argparse
import os
from pathlib import Path

import pytest
import torch

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.weight_file import read_weights, some_of, without_wrappers

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
