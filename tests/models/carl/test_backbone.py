from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.models.carl.tiny import make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.backbone import load_backbone

OTHERS = {"fc.weight": torch.zeros(2, 2)}


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


def published(state: dict[str, Tensor]) -> dict[str, Any]:
    """The four layouts, with what else lies in such files."""
    without_counters = {name: value for name, value in state.items() if "num_batches" not in name}
    wrong = {name: torch.zeros_like(value) for name, value in state.items()}
    return {
        "supervised": {**state, **OTHERS},
        "byol": {
            "model": {
                **prefixed("module.encoder_k.", wrong),
                **prefixed("module.encoder.", {**state, **OTHERS}),
            },
            "epoch": 1000,
        },
        "mocov2": {
            "state_dict": {
                **prefixed("module.encoder_k.", wrong),
                **prefixed("module.encoder_q.", {**state, **OTHERS}),
            },
            "arch": "resnet50",
        },
        "simclr": {
            "state_dict": {
                **prefixed("momentum_encoder.", wrong),
                **prefixed("encoder.", without_counters),
                "projection.model.0.weight": torch.zeros(1),
            },
        },
    }


@pytest.mark.parametrize("origin", ["supervised", "byol", "mocov2", "simclr"])
def test_published_layouts_are_read(origin: Any, tmp_path: Path) -> None:
    source, target = make_model(seed=1).backbone, make_model(seed=2).backbone
    path = tmp_path / f"{origin}.pth"
    torch.save(published(source.state_dict())[origin], path)
    load_backbone(target, path, origin)
    for name, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], value), name


def test_safetensors_of_timm_are_read(tmp_path: Path) -> None:
    source, target = make_model(seed=1).backbone, make_model(seed=2).backbone
    save_file({**source.state_dict(), **OTHERS}, tmp_path / "timm.safetensors")
    load_backbone(target, tmp_path / "timm.safetensors", "supervised")
    assert torch.equal(target.conv1.weight, source.conv1.weight)


def test_the_wrong_kind_and_other_networks_are_refused(tmp_path: Path) -> None:
    state = make_model().backbone.state_dict()
    path = tmp_path / "weights.pth"
    torch.save(published(state)["mocov2"], path)
    with pytest.raises(InputError, match=r"no entry 'model'"):
        load_backbone(make_model().backbone, path, "byol")
    with pytest.raises(InputError, match=r"simclr ResNet: conv1\.weight.*backbone_origin"):
        load_backbone(make_model().backbone, path, "simclr")
    torch.save(state, path)
    with pytest.raises(InputError, match="another size"):
        load_backbone(make_model(stage_widths=(4, 4, 8, 16)).backbone, path, "supervised")
