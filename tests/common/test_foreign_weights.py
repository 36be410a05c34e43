import os
import shutil
from pathlib import Path

import pytest
import torch

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_weights import weights_digest

STATE = {"a": torch.ones(2), "b": torch.zeros(3)}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0d71\nsize 19332096\n"


def test_digests_are_of_files_that_can_hold_weights(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pth")
    shutil.copy(tmp_path / "w.pth", tmp_path / "copy.pth")
    digest = weights_digest("initialize_from", tmp_path / "w.pth")
    assert digest is not None and digest == weights_digest("other", tmp_path / "copy.pth")
    assert weights_digest("initialize_from", None) is None
    with pytest.raises(InputError, match=r"initialize_from: .*none\.pth cannot be read"):
        weights_digest("initialize_from", tmp_path / "none.pth")
    (tmp_path / "w.pth").write_text(POINTER)
    with pytest.raises(InputError, match=r"initialize_from: .*w\.pth holds no weights: it is a Git"):
        weights_digest("initialize_from", tmp_path / "w.pth")


def test_nobody_waits_for_a_pipe_to_be_digested(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.pth")
    with within_limits(), pytest.raises(InputError, match=r"initialize_from: There is no file .*w\.pth"):
        weights_digest("initialize_from", tmp_path / "w.pth")
