from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.robot_cloning.cloned_policy import HeadInput
from vidrep_pipelines.evaluation.robot_cloning.cloning_head import CloningHead
from vidrep_pipelines.evaluation.robot_cloning.config import CloningHeadConfig
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import Demonstration
from vidrep_pipelines.evaluation.robot_cloning.head_training import (
    CloningItem,
    DemonstrationStore,
    head_names,
    load_cloned,
    read_frame_features,
)


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    head = CloningHead(5, 2, (4, 3)).eval()
    path = tmp_path / "head.safetensors"
    save_file({f"7/{name}": tensor for name, tensor in head.state_dict().items()}, path)
    inputs = torch.randn(3, 5)
    assert torch.equal(load_cloned(path, 7, torch.device("cpu"))(inputs), head(inputs))
    with pytest.raises(InputError, match="no head was kept after 8"):
        load_cloned(path, 8, torch.device("cpu"))
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="holds no head"):
        load_cloned(path, 7, torch.device("cpu"))


def test_features_that_are_gone_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3), np.float16))
    assert read_frame_features(tmp_path / "a.npy").dtype == np.float32
    (tmp_path / "a.npy").write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.npy holds no features"):
        read_frame_features(tmp_path / "a.npy")


def test_a_digest_changes_with_what_is_learned(tmp_path: Path) -> None:
    shown = (Demonstration("a", "t", "lift", "lift it", "1"),)
    item = CloningItem(
        store=DemonstrationStore(tmp_path, "x"),
        features=None,
        demonstrations=shown,
        given=HeadInput(3, True, ()),
        config=CloningHeadConfig(),
        seed=0,
        device="cpu",
    )
    changed: dict[str, object] = {
        "seed": 1,
        "config": CloningHeadConfig(length=5),
        "demonstrations": (Demonstration("a", "t", "lift", "lift it", "2"),),
        "given": HeadInput(3, False, ()),
    }
    others = {CloningItem(**{**item.__dict__, name: value}).digest for name, value in changed.items()}
    assert len(others | {item.digest}) == 5
    moved = CloningItem(**{**item.__dict__, "device": "cuda", "number": 3, "features": tmp_path})
    assert moved.digest == item.digest


def test_names_of_heads() -> None:
    assert head_names(["rsp"], ["lift"], [0, 1]) == ["rsp/lift/0", "rsp/lift/1"]
