"""Encoders of timm's with weights from a file."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.config import TimmEncoderConfig
from vidrep_pipelines.evaluation.encoders.timm_models import load_timm_encoder

TINY: dict[str, Any] = {"img_size": 96}
VIT = "vit_tiny_patch16_224"


def saved(model: nn.Module, folder: Path) -> Path:
    """The whole model's weights, classifier included, as people have them."""
    torch.save(model.state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def direct(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        tokens: Tensor = model.eval().forward_features(images)
    return tokens


@pytest.mark.parametrize("name", [VIT, "deit3_small_patch16_224", "vit_small_patch14_reg4_dinov2"])
def test_vits_with_any_prefix_equal_timms_own_resampling(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    own = timm.create_model(name, img_size=112, dynamic_img_size=True)
    for parameter in own.parameters():
        nn.init.normal_(parameter, std=0.05)
    config = TimmEncoderConfig(model=name, weights=saved(own, tmp_path), image_size=112, positions="timm")
    encoder = load_timm_encoder(name, config)
    stride = own.patch_embed.patch_size[0]
    images = torch.randn(2, 3, 3 * stride, 5 * stride)
    expected = direct(own, images)[:, own.num_prefix_tokens :].transpose(1, 2).unflatten(2, (3, 5))
    torch.testing.assert_close(encoder.patch_features(images), expected, rtol=0, atol=1e-3)
    assert (encoder.stride, encoder.mean) == (stride, tuple(own.pretrained_cfg["mean"]))


@pytest.mark.parametrize(("stage", "output_stride", "stride"), [(3, 32, 16), (2, 32, 8), (3, 8, 8)])
def test_stages_of_a_resnet(tmp_path: Path, stage: int, output_stride: int, stride: int) -> None:
    torch.manual_seed(0)
    own = timm.create_model("resnet18", output_stride=output_stride).eval()
    config = TimmEncoderConfig(
        model="resnet18",
        weights=saved(own, tmp_path),
        stage=stage,
        output_stride=output_stride,
    )
    encoder = load_timm_encoder("resnet", config)
    assert encoder.stride == stride
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = own.maxpool(own.act1(own.bn1(own.conv1(images))))
        for number in range(1, stage + 1):
            expected = getattr(own, f"layer{number}")(expected)
    features = encoder.patch_features(images)
    assert features.shape[2:] == (64 // stride, 96 // stride)
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)
    with pytest.raises(InputError, match="do not divide"):
        encoder.patch_features(torch.randn(1, 3, 64, 97))


def test_missing_tensor_and_wrong_size_are_named(tmp_path: Path) -> None:
    state = timm.create_model(VIT, **TINY).state_dict()
    del state["blocks.3.norm1.weight"]
    torch.save(state, tmp_path / "w.pth")
    config = TimmEncoderConfig(model=VIT, weights=tmp_path / "w.pth", image_size=96)
    with pytest.raises(InputError, match=r"blocks\.3\.norm1\.weight is missing"):
        load_timm_encoder("x", config)
    with pytest.raises(InputError, match=r"pos_embed is .* needs image_size"):
        load_timm_encoder("x", config.model_copy(update={"image_size": None}))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("vit_tiny_patch17_224", "timm knows no model"),
        ("convnext_atto", "neither a plain ViT nor a ResNet"),
        ("deit_tiny_distilled_patch16_224", "neither a plain ViT nor a ResNet"),
    ],
)
def test_models_that_do_not_fit(tmp_path: Path, name: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        load_timm_encoder("x", TimmEncoderConfig(model=name, weights=tmp_path / "w.pth"))
