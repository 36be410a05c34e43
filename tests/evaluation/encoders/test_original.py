"""Encoders from files of original repositories."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.config import OriginalEncoderConfig
from vidrep_pipelines.evaluation.encoders.original import load_original_encoder
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder


def make_encoder() -> VisionTransformerEncoder:
    torch.manual_seed(0)
    encoder = VisionTransformerEncoder(
        image_size=32, patch_size=8, channels=3, dimension=128, depth=2, heads=2, mlp_ratio=2
    )
    return encoder.eval()


ENCODER = make_encoder()
STATE: dict[str, Tensor] = dict(ENCODER.state_dict())


def saved(folder: Path, content: Any) -> Path:
    path = folder / "weights.pth"
    torch.save(content, path)
    return path


def expect_same(path: Path, **options: Any) -> None:
    encoder = load_original_encoder("x", OriginalEncoderConfig(path=path, **options))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = ENCODER(images)[:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    assert encoder.stride == 8
    torch.testing.assert_close(encoder.patch_features(images), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.backbone.", "module.base_encoder."])
def test_prefixes_of_wrappers_are_removed(tmp_path: Path, prefix: str) -> None:
    expect_same(
        saved(tmp_path, {"model": {prefix + name: value for name, value in STATE.items()}, "epoch": 3})
    )


def test_plain_state_dicts_and_safetensors(tmp_path: Path) -> None:
    expect_same(saved(tmp_path, STATE))
    save_file(STATE, tmp_path / "weights.safetensors")
    expect_same(tmp_path / "weights.safetensors")


def test_another_entry(tmp_path: Path) -> None:
    path = saved(tmp_path, {"teacher": STATE, "student": {}})
    expect_same(path, entry="teacher")
    with pytest.raises(InputError, match=r"no entry 'model'; it has teacher, student"):
        load_original_encoder("x", OriginalEncoderConfig(path=path, entry="model"))
    with pytest.raises(InputError, match="name the key of the state dict"):
        load_original_encoder("x", OriginalEncoderConfig(path=path))


def test_other_parts_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        expect_same(saved(tmp_path, {"model": {**STATE, "decoder_pred.bias": torch.zeros(3)}}))
    assert "1 tensors are not the encoder's: decoder_pred.bias" in caplog.text


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("chunked", [False, True])
def test_dinov2s_layout_that_t_core_has(tmp_path: Path, registers: int, chunked: bool) -> None:
    torch.manual_seed(0)
    own = timm.models.vision_transformer.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=128, depth=2, num_heads=2, init_values=0.5, num_classes=0,
        global_pool="", reg_tokens=registers, no_embed_class=True, dynamic_img_size=True,
    ).eval()  # fmt: skip
    state = {f"backbone.{name}": value for name, value in own.state_dict().items()}
    cls_place = torch.randn(1, 1, 128)
    state["backbone.cls_token"] = state["backbone.cls_token"] - cls_place
    state["backbone.pos_embed"] = torch.cat([cls_place, state["backbone.pos_embed"]], dim=1)
    state["backbone.mask_token"] = torch.zeros(1, 128)
    state["dino_head.mlp.0.weight"] = torch.zeros(2, 2)
    if registers:
        state["backbone.register_tokens"] = state.pop("backbone.reg_token")
    if chunked:
        state = {name.replace("blocks.", "blocks.1."): value for name, value in state.items()}
    path = saved(tmp_path, {"teacher": state})
    config = OriginalEncoderConfig(path=path, entry="teacher", positions="timm")
    images = torch.randn(2, 3, 24, 40)
    with torch.no_grad():
        expected = own(images)[:, 1 + registers :].transpose(1, 2).unflatten(2, (3, 5))
    found = load_original_encoder("x", config).patch_features(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def without(name: str) -> dict[str, Tensor]:
    return {other: value for other, value in STATE.items() if other != name}


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (without("norm.weight"), "norm.weight is missing"),
        (without("blocks.1.attn.qkv.bias"), "blocks.1.attn.qkv.bias is missing"),
        ({**STATE, "blocks.0.ls1.gamma": torch.ones(128)}, "blocks.0.ls1.gamma is unknown"),
        ({**STATE, "register_tokens": torch.ones(1, 4, 128)}, "register_tokens is unknown"),
        ({**STATE, "norm.bias": torch.ones(64)}, r"norm.bias is \(64,\), expected \(128,\)"),
        (without("pos_embed"), "'pos_embed' is missing"),
        ({"conv1.weight": torch.ones(2)}, "holds no plain ViT"),
    ],
)
def test_other_architectures_are_refused(tmp_path: Path, state: dict[str, Tensor], complaint: str) -> None:
    path = saved(tmp_path, {"model": state})
    with pytest.raises(InputError, match=complaint) as caught:
        load_original_encoder("x", OriginalEncoderConfig(path=path))
    assert str(path) in str(caught.value)


def test_heads_must_share_the_channels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set heads"):
        load_original_encoder("x", OriginalEncoderConfig(path=saved(tmp_path, STATE), heads=3))
