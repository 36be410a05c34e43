"""Encoders of clips from the files that were published."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.evaluation.encoders.video_oracle import DIMENSION, HEADS, PATCH, make_weights, slow_features
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.compat import ensure_torchvision
from vidrep_pipelines.evaluation.encoders.config import VideoMaeEncoderConfig, VjepaEncoderConfig
from vidrep_pipelines.evaluation.encoders.video_checkpoints import load_videomae_encoder, load_vjepa_encoder

CLIP = torch.randn(4, 3, 12, 20, generator=torch.Generator().manual_seed(1))


def library() -> Any:
    ensure_torchvision()  # which transformers imports, also where its operators were built for another torch
    return pytest.importorskip("transformers", reason="the extra 'vpp' is not installed")


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def split(weights: dict[str, Tensor], parts: tuple[str, str, str], attention: str) -> dict[str, Tensor]:
    """Queries, keys and values under names of their own."""
    result = dict(weights)
    for name in [name for name in weights if ".attn.qkv." in name]:
        stem, kind = name.split("attn.qkv.")
        for part, value in zip(parts, result.pop(name).chunk(3), strict=True):
            result[f"{stem}{attention}{part}.{kind}"] = value
    return result


def middles(features: Tensor) -> Tensor:
    """Of two tubelets: a frame has the features of its own one, moved a quarter to the other's."""
    first, second = features
    shares = (0, 0.25, 0.75, 1)
    return torch.stack([first * (1 - share) + second * share for share in shares])


def vjepa_2_1(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {name: value for name, value in weights.items() if not name.startswith("norm.")}
    for number in range(4):
        for kind in ("weight", "bias"):
            value = weights[f"norm.{kind}"] if number == 3 else torch.zeros(DIMENSION)
            state[f"norms_block.{number}.{kind}"] = value
    state["video_mod_embed"] = torch.full((1, 1, DIMENSION), 0.2)
    state["patch_embed.proj.bias"] = state["patch_embed.proj.bias"] - 0.2
    state["img_mod_embed"] = torch.ones(1, 1, DIMENSION)
    state["patch_embed_img.proj.weight"] = torch.ones(DIMENSION, 3, 1, PATCH, PATCH)
    return state


@pytest.mark.parametrize("version", ["2", "2.1"])
def test_vjepa_of_its_authors(tmp_path: Path, version: str) -> None:
    weights = make_weights()
    state = {**weights, "pos_embed": torch.ones(1, 7, DIMENSION)} if version == "2" else vjepa_2_1(weights)
    state = {f"module.backbone.{name}": value for name, value in state.items()}
    entry = "target_encoder" if version == "2" else "ema_encoder"
    path = saved(tmp_path, {"encoder": {}, entry: state, "predictor": {}, "epoch": 3})
    encoder = load_vjepa_encoder("jepa", VjepaEncoderConfig(path=path, heads=HEADS, window=4))
    assert (encoder.stride, encoder.window) == (PATCH, 4)
    found, nothing = encoder.features(CLIP[None])
    expected = slow_features(weights, CLIP, "rotary" if version == "2" else "rotary_scaled")
    assert nothing is None
    torch.testing.assert_close(found[0].double(), middles(expected), rtol=0, atol=1e-5)


def test_vjepa_in_transformers_layout(tmp_path: Path) -> None:
    weights = make_weights()
    state = {}
    for name, value in split(weights, ("query", "key", "value"), "attention.").items():
        for ours, theirs in (
            ("patch_embed.", "encoder.embeddings.patch_embeddings."),
            ("blocks.", "encoder.layer."),
            ("attn.proj", "attention.proj"),
            ("norm.", "encoder.layernorm."),
        ):
            name = name.replace(ours, theirs) if ours != "norm." or name.startswith(ours) else name  # noqa: PLW2901
        state[name] = value.contiguous()
    state["predictor.layer.0.attention.query.weight"] = torch.zeros(2, 2)
    save_file(state, tmp_path / "model.safetensors")
    config = VjepaEncoderConfig(path=tmp_path / "model.safetensors", window=4)
    with pytest.raises(AssertionError):  # 32 channels are taken for one head where nothing says otherwise
        found, _ = load_vjepa_encoder("jepa", config).features(CLIP[None])
        torch.testing.assert_close(found[0].double(), middles(slow_features(weights, CLIP, "rotary")))
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": HEADS, "crop_size": 256}))
    found, _ = load_vjepa_encoder("jepa", config).features(CLIP[None])
    expected = middles(slow_features(weights, CLIP, "rotary"))
    torch.testing.assert_close(found[0].double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(12, 20), (12, 12)])
def test_videomae_of_its_authors(tmp_path: Path, size: tuple[int, int]) -> None:
    weights = make_weights(bias_of_keys=False)
    state = {}
    for name, value in weights.items():
        if name.endswith("attn.qkv.bias"):
            queries, _, values = value.chunk(3)
            state[f"encoder.{name.removesuffix('qkv.bias')}q_bias"] = queries
            state[f"encoder.{name.removesuffix('qkv.bias')}v_bias"] = values
        else:
            state[f"encoder.{name}"] = value
    state["decoder.blocks.0.attn.q_bias"] = state["mask_token"] = torch.zeros(3)
    path = saved(tmp_path, {"model": state})
    (tmp_path / "config.json").write_text(json.dumps({"num_frames": 4, "image_size": 12}))
    encoder = load_videomae_encoder("mae", VideoMaeEncoderConfig(path=path, heads=HEADS))
    clip = CLIP[..., : size[0], : size[1]]
    found, _ = encoder.features(clip[None])
    expected = middles(slow_features(weights, clip, "sines", table_side=3))
    torch.testing.assert_close(found[0].double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("whole", [True, False])
def test_vjepa_equals_transformers(tmp_path: Path, whole: bool) -> None:
    transformers = library()
    torch.manual_seed(0)
    config = transformers.VJEPA2Config(
        patch_size=4, crop_size=16, frames_per_clip=4, tubelet_size=2, hidden_size=48, num_attention_heads=2,
        num_hidden_layers=2, mlp_ratio=2, pred_hidden_size=24, pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
    )  # fmt: skip
    model = transformers.VJEPA2Model(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path)
    encoder = load_vjepa_encoder("jepa", VjepaEncoderConfig(path=tmp_path / "model.safetensors", window=4))
    clips = torch.randn(2, 4, 3, 16, 16)
    with torch.no_grad():
        tokens = model(clips, skip_predictor=True).last_hidden_state
        found = encoder.transformer(clips)
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), tokens, rtol=1e-5, atol=1e-5)
    assert whole or encoder.features(clips)[0].shape == (2, 4, 48, 4, 4)


@pytest.mark.parametrize("pooled", [True, False])
def test_videomae_equals_transformers(tmp_path: Path, pooled: bool) -> None:
    transformers = library()
    torch.manual_seed(0)
    config = transformers.VideoMAEConfig(
        image_size=16, patch_size=4, num_frames=4, tubelet_size=2, hidden_size=48, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=64, use_mean_pooling=pooled,
    )  # fmt: skip
    model = transformers.VideoMAEModel(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path)
    encoder = load_videomae_encoder("mae", VideoMaeEncoderConfig(path=tmp_path / "model.safetensors"))
    assert encoder.window == 4
    clips = torch.randn(2, 4, 3, 16, 16)
    with torch.no_grad():
        tokens = model(clips).last_hidden_state
        found = encoder.transformer(clips)
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), tokens, rtol=1e-5, atol=1e-5)


def test_windows_lie_side_by_side_and_the_last_one_ends_with_the_video(tmp_path: Path) -> None:
    path = saved(tmp_path, make_weights())
    encoder = load_vjepa_encoder("jepa", VjepaEncoderConfig(path=path, heads=HEADS, window=4))
    frames = torch.randn(1, 10, 3, 8, 8)
    found, _ = encoder.features(frames)
    windows = [encoder.features(frames[:, start : start + 4])[0] for start in (0, 4, 6)]
    expected = torch.cat([windows[0], windows[1], windows[2][:, 2:]], dim=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_videos_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, make_weights())
    encoder = load_vjepa_encoder("jepa", VjepaEncoderConfig(path=path, heads=HEADS, window=8))
    with pytest.raises(InputError, match=r"jepa looks at 8 frames together, and the video has 5.*\.window"):
        encoder.features(torch.randn(1, 5, 3, 8, 8))
    with pytest.raises(InputError, match="cells of 4 pixels"):
        encoder.features(torch.randn(1, 8, 3, 8, 10))
    with pytest.raises(ConfigurationError, match=r"known\.jepa\.window: 5 frames"):
        load_vjepa_encoder("jepa", VjepaEncoderConfig(path=path, heads=HEADS, window=5))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"norm.bias": None}, "norm.bias is missing"),
        ({"blocks.1.mlp.fc2.weight": torch.ones(3)}, r"blocks.1.mlp.fc2.weight is \(3,\)"),
        ({"blocks.0.ls1.gamma": torch.ones(3)}, "blocks.0.ls1.gamma is unknown"),
        ({"patch_embed.proj.weight": torch.ones(8, 3, 4, 4)}, "holds no encoder of clips"),
        ({"patch_embed.proj.weight": None}, "holds no encoder of clips"),
        ({"video_mod_embed": torch.ones(5)}, "do not go together"),
    ],
)
def test_other_architectures_are_refused(
    tmp_path: Path, change: dict[str, Tensor | None], complaint: str
) -> None:
    state = {name: value for name, value in {**make_weights(), **change}.items() if value is not None}
    path = saved(tmp_path, state)
    with pytest.raises(InputError, match=complaint):
        load_vjepa_encoder("jepa", VjepaEncoderConfig(path=path, heads=HEADS))


def test_settings_beside_the_weights_are_checked(tmp_path: Path) -> None:
    path = saved(tmp_path, make_weights())
    with pytest.raises(InputError, match="3 heads do not share 32 channels"):
        load_vjepa_encoder("jepa", VjepaEncoderConfig(path=path, heads=3))
    (tmp_path / "config.json").write_text('{"num_attention_heads": -1}')
    with pytest.raises(InputError, match=r"config\.json describes no model"):
        load_vjepa_encoder("jepa", VjepaEncoderConfig(path=path))
