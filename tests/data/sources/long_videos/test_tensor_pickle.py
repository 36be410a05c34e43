import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.tensor_pickle import load_tensor_pickle


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


class HiddenInStorage:
    """A pickle inside the bytes that are said to be a tensor's memory."""

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return torch.storage._load_from_bytes, (pickle.dumps(Malicious()),)


class BeyondMemory:
    """A tensor that claims more memory than it has."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        storage = torch.storage.TypedStorage([0.0, 0.0], dtype=torch.float32, _internal=True)
        return torch._utils._rebuild_tensor_v2, (storage, 0, (1000,), (1,), False, {})


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", [torch.int64, torch.float32, torch.int32, torch.uint8, torch.float64])
def test_tensors_become_arrays(tmp_path: Path, protocol: int, kind: torch.dtype) -> None:
    content = ([{"label": torch.arange(6).to(kind), "id": 3}], [[0], [1, 2]])
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    rows, groups = load_tensor_pickle(tmp_path / "a.pkl")
    assert groups == [[0], [1, 2]]
    np.testing.assert_array_equal(rows[0]["label"], np.arange(6))
    assert rows[0]["label"].dtype == torch.arange(1).to(kind).numpy().dtype


def test_views_of_one_memory(tmp_path: Path) -> None:
    memory = torch.arange(12).reshape(3, 4)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([memory.T, memory[1:, ::2]]))
    turned, part = load_tensor_pickle(tmp_path / "a.pkl")
    np.testing.assert_array_equal(turned, memory.T.numpy())
    np.testing.assert_array_equal(part, memory[1:, ::2].numpy())


@pytest.mark.parametrize(
    "value", [Malicious(), [torch.zeros(1), Malicious()], HiddenInStorage(), BeyondMemory()]
)
def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=r"bad\.pkl was not read"):
        load_tensor_pickle(tmp_path / "bad.pkl")
    assert not (tmp_path / "executed").exists()


def test_missing_and_torn_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_tensor_pickle(tmp_path / "none.pkl")
    (tmp_path / "torn.pkl").write_bytes(pickle.dumps([torch.zeros(3)])[:-9])
    with pytest.raises(InputError, match=r"torn\.pkl was not read"):
        load_tensor_pickle(tmp_path / "torn.pkl")


def test_a_pointer_in_place_of_a_list(tmp_path: Path) -> None:
    path = tmp_path / "train.pkl"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    with pytest.raises(InputError, match=r"train\.pkl was not read: it is a Git-LFS pointer.*git lfs pull"):
        load_tensor_pickle(path)
