"""Encoders of timm's with weights from a file."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders import timm_models
from vidrep_pipelines.evaluation.encoders.config import TimmEncoderConfig
from vidrep_pipelines.evaluation.encoders.timm_models import TimmMapEncoder, load_timm_encoder

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


def test_random_weights_follow_from_the_seed() -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = torch.random.get_rng_state()
    one, same, other = (
        load_timm_encoder("vit", TimmEncoderConfig(model="test_vit", weights=None, seed=seed)).patch_features(
            images
        )
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, same) and not torch.allclose(one, other)
    assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(ValueError, match="weights"):
        TimmEncoderConfig.model_validate({"model": "test_vit"})  # nobody gets random weights unasked


def test_missing_tensor_and_wrong_size_are_named(tmp_path: Path) -> None:
    state = timm.create_model(VIT, **TINY).state_dict()
    del state["blocks.3.norm1.weight"]
    torch.save(state, tmp_path / "w.pth")
    config = TimmEncoderConfig(model=VIT, weights=tmp_path / "w.pth", image_size=96)
    with pytest.raises(InputError, match=r"blocks\.3\.norm1\.weight is missing"):
        load_timm_encoder("x", config)
    with pytest.raises(InputError, match=r"pos_embed is .* needs image_size"):
        load_timm_encoder("x", config.model_copy(update={"image_size": None}))


@pytest.mark.parametrize("name", ["vit_small_patch16_dinov3", "deit_tiny_distilled_patch16_224"])
def test_registers_and_rotary_positions_follow_the_picture(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    own = timm.create_model(name, dynamic_img_size=True)
    for parameter in own.parameters():
        nn.init.normal_(parameter, std=0.05)
    encoder = load_timm_encoder("x", TimmEncoderConfig(model=name, weights=saved(own, tmp_path)))
    images = torch.randn(2, 3, 48, 80)
    expected = direct(own, images)[:, own.num_prefix_tokens :].transpose(1, 2).unflatten(2, (3, 5))
    assert encoder.stride == 16
    torch.testing.assert_close(encoder.patch_features(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("stage", "stride"), [(2, 8), (4, 32)])
def test_stages_of_any_convolutional_network(tmp_path: Path, stage: int, stride: int) -> None:
    torch.manual_seed(0)
    own = timm.create_model("convnext_atto").eval()
    config = TimmEncoderConfig(model="convnext_atto", weights=saved(own, tmp_path), stage=stage)
    encoder = load_timm_encoder("x", config)
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = own.stages[:stage](own.stem(images))
    assert encoder.stride == stride
    torch.testing.assert_close(encoder.patch_features(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_xsmall_patch16_clip_224", {}),  # a norm before the blocks
        ("vit_wee_patch16_reg1_gap_256", {}),  # pooled before its norm
        ("vit_tiny_patch16_224", {"global_pool": "map"}),  # SigLIP's attention pooling
    ],
)
def test_what_pools_tokens_is_left_out(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    torch.manual_seed(0)
    own = timm.create_model(name, **options, **({"class_token": True} if options else {}))
    config = TimmEncoderConfig(model=name, weights=saved(own, tmp_path))
    images = torch.randn(1, 3, *own.patch_embed.img_size)
    tokens = direct(own, images)[:, own.num_prefix_tokens :]
    expected = tokens.transpose(1, 2).unflatten(2, own.patch_embed.grid_size)
    found = load_timm_encoder("x", config).patch_features(images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_authors_names_are_converted_as_timm_does(tmp_path: Path) -> None:
    name = "vit_small_patch14_reg4_dinov2"
    torch.manual_seed(0)
    own = timm.create_model(name, img_size=112)
    for parameter in own.parameters():
        nn.init.normal_(parameter, std=0.05)
    state = dict(own.state_dict())
    cls_place = torch.randn(1, 1, 384)
    state["register_tokens"] = state.pop("reg_token")
    state["cls_token"] = state["cls_token"] - cls_place
    state["pos_embed"] = torch.cat([cls_place, state["pos_embed"]], dim=1)
    state["mask_token"] = torch.zeros(1, 384)
    torch.save(state, tmp_path / "w.pth")
    config = TimmEncoderConfig(model=name, weights=tmp_path / "w.pth", image_size=112)
    images = torch.randn(1, 3, 112, 112)
    expected = direct(own, images)[:, own.num_prefix_tokens :].transpose(1, 2).unflatten(2, (8, 8))
    found = load_timm_encoder("x", config).patch_features(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match=r"pos_embed is .* needs image_size"):
        load_timm_encoder("x", config.model_copy(update={"image_size": 98}))


@pytest.mark.parametrize(
    ("weights_of", "model", "complaint"),
    [
        ("resnet26", "resnet18", "layer1.0.conv3.weight is unknown|is .*, expected"),
        ("vit_tiny_r_s16_p8_224", VIT, "is missing|is unknown|expected"),
    ],
)
def test_weights_of_another_architecture(tmp_path: Path, weights_of: str, model: str, complaint: str) -> None:
    path = saved(timm.create_model(weights_of), tmp_path)
    with pytest.raises(InputError, match=complaint):
        load_timm_encoder("x", TimmEncoderConfig(model=model, weights=path))


def test_tensors_that_would_change_the_features_may_not_be_left_out(tmp_path: Path) -> None:
    state = timm.create_model(VIT).state_dict()
    config = TimmEncoderConfig(model=VIT, weights=tmp_path / "w.pth")
    for stranger in ("blocks.12.norm1.weight", "norm_pre.weight", "reg_token"):
        torch.save({**state, stranger: torch.ones(192), "decoder.bias": torch.ones(1)}, config.weights)
        with pytest.raises(InputError, match=f"fit {VIT}: {stranger} is unknown"):
            load_timm_encoder("x", config)


def test_networks_for_one_size_say_so() -> None:
    network = nn.Module()
    encoder = TimmMapEncoder("window", network, level=0, stride=32, size=(224, 256))
    with pytest.raises(InputError, match=r"window takes images of 256x224 only.*sides: \[224, 256\]"):
        encoder.patch_features(torch.randn(1, 3, 256, 224))


def test_networks_without_a_feature_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_models, "_create", lambda config, resizes: nn.Linear(2, 2))
    with pytest.raises(ConfigurationError, match=r"resnet18 gives no feature map.*such as a ViT"):
        load_timm_encoder("x", TimmEncoderConfig(model="resnet18", weights=tmp_path / "w.pth"))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"model": "vit_tiny_patch17_224"}, "timm knows no model"),
        ({"model": VIT, "output_stride": 8}, "output_stride for convolutional networks"),
        ({"model": "resnet18", "image_size": 64}, "image_size is for vision transformers"),
    ],
)
def test_models_that_do_not_fit(tmp_path: Path, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        load_timm_encoder("x", TimmEncoderConfig(weights=tmp_path / "w.pth", **options))
