from pathlib import Path

import torch
from safetensors.torch import load_file

from vidrep_pipelines.models.shared.own_weights import write_weights


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
