from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from tests.models.carl.tiny import CONVOLUTIONAL, make_config, make_frames, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.heads import TransformerHead, _rotated, frame_positions, frame_rotations
from vidrep_pipelines.models.carl.model import CarlModel

_POSITIONS = ("clip", "relative", "none")


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, (2, 6, 8)),
        ({"projection_width": None}, (2, 6, 8)),
        ({"projection_width": None, "classes": 5}, (2, 6, 5)),
        ({"encoder": "vanilla", "context_frames": 2}, (2, 3, 8)),
        ({**CONVOLUTIONAL, "projection_width": 4}, (2, 3, 8)),
    ],
)
def test_every_kind_gives_one_output_per_position(changes: dict[str, Any], shape: tuple[int, ...]) -> None:
    side = changes.get("image_size", 32)
    frames = make_frames(2, 6, side=side)
    model = make_model(**changes)
    assert model(frames).shape == shape
    assert model.embed(frames).shape == (*shape[:2], 8)


def test_embeddings_have_unit_length_if_wanted() -> None:
    frames = make_frames(1, 6)
    torch.testing.assert_close(make_model().embed(frames).norm(dim=-1), torch.ones(1, 6))
    free = make_model(normalize=False).embed(frames)
    assert (free.norm(dim=-1) - 1).abs().min() > 1e-3


def test_padding_changes_nothing_for_real_frames() -> None:
    """Nobody attends to padded frames; but the number of positions counts."""
    model, frames = make_model(), make_frames(1, 6)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    other = torch.cat([frames[:, :4], make_frames(1, 2, seed=9)], dim=1)
    torch.testing.assert_close(model.embed(frames, mask)[:, :4], model.embed(other, mask)[:, :4])
    assert not torch.allclose(model.embed(frames)[:, :4], model.embed(other)[:, :4])


def test_a_view_of_nothing_but_padding_does_no_harm() -> None:
    """Views of very short videos may fall beyond their end."""
    model, frames = make_model(), make_frames(2, 6)
    mask = torch.tensor([[1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    found = model(frames, mask)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[:1], model(frames[:1], mask[:1]))


def test_frames_of_a_clip_know_of_one_another_only_in_the_transformer() -> None:
    changed = torch.cat([make_frames(1, 5), make_frames(1, 1, seed=9)], dim=1)
    frames = torch.cat([changed[:, :5], make_frames(1, 6)[:, 5:]], dim=1)
    assert not torch.allclose(make_model().embed(frames)[:, 0], make_model().embed(changed)[:, 0])
    local = make_model(encoder="vanilla")
    torch.testing.assert_close(local.embed(frames)[:, :5], local.embed(changed)[:, :5])


def test_attention_is_that_of_torch() -> None:
    """torch's own layer, with the three projections packed into one."""
    torch.manual_seed(0)
    head = TransformerHead(make_config(layers=1)).eval()
    ours: Any = head.layers[0]
    theirs = nn.TransformerEncoderLayer(16, 2, 24, 0.0, batch_first=True, norm_first=True).eval()
    attention = ours.attention
    packed = {
        "self_attn.in_proj_weight": torch.cat(
            [attention.query.weight, attention.key.weight, attention.value.weight]
        ),
        "self_attn.in_proj_bias": torch.cat([attention.query.bias, attention.key.bias, attention.value.bias]),
    }
    names = {
        "self_attn.out_proj": attention.output,
        "linear1": ours.expand,
        "linear2": ours.contract,
        "norm1": ours.attention_norm,
        "norm2": ours.feedforward_norm,
    }
    for name, layer in names.items():
        packed |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    theirs.load_state_dict(packed)
    tokens, mask = torch.randn(2, 6, 16), torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 0, 1, 1, 1]]).bool()
    expected = theirs(tokens, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours(tokens, mask[:, None, None]), expected)


def test_layers_start_from_the_same_weights_as_published() -> None:
    def first_weights(identical: bool) -> list[Tensor]:
        model: Any = make_model(identical_layers=identical)
        return [layer.attention.query.weight for layer in model.head.layers]

    assert torch.equal(*first_weights(True))
    assert not torch.equal(*first_weights(False))


def test_positions_are_the_formula() -> None:
    table = frame_positions(5, 5, 6).numpy()
    for place in range(5):
        for channel in range(6):
            angle = place / 10000 ** (channel / 6)
            assert table[place, channel] == pytest.approx([np.sin, np.cos][channel % 2](angle), abs=1e-12)
    longer = frame_positions(9, 5, 6)
    torch.testing.assert_close(longer[::2], frame_positions(5, 5, 6))


def test_what_a_transformer_knows_of_time() -> None:
    """Of frames that all look alike, only positions in the clip tell one from another."""
    still = make_frames(1, 1).expand(1, 6, -1, -1, -1)
    spread = {name: make_model(positions=name).embed(still)[0].std(dim=0).max() for name in _POSITIONS}
    assert spread["clip"] > 1e-2 and max(spread["relative"], spread["none"]) < 1e-5


def test_order_of_frames_counts_unless_nothing_is_known_of_time() -> None:
    frames, order = make_frames(1, 6), torch.tensor([3, 0, 5, 1, 4, 2])
    for name in _POSITIONS:
        model = make_model(positions=name)
        same = torch.allclose(model.embed(frames)[:, order], model.embed(frames[:, order]), atol=1e-5)
        assert same == (name == "none")


def test_what_stays_the_same_in_a_clip_can_be_left_out() -> None:
    model: Any = make_model(standardize_features=True)
    pooled, mask = torch.randn(2, 6, 32), torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0]])
    scene, gain = torch.randn(2, 1, 32), torch.rand(2, 1, 32) + 0.5
    real = mask.bool()
    found = model.head(pooled * gain + scene, mask)
    torch.testing.assert_close(found[real], model.head(pooled, mask)[real], atol=1e-3, rtol=1e-3)
    other = torch.where(real[..., None], pooled, torch.randn(2, 6, 32))
    torch.testing.assert_close(model.head(other, mask)[real], model.head(pooled, mask)[real])
    alone = model.head(pooled[:, :1])
    assert alone.isfinite().all() and torch.equal(alone[0], alone[1])  # one frame does not change


def test_relative_positions_count_differences_only() -> None:
    queries = torch.randn(1, 2, 1, 8).expand(-1, -1, 7, -1)
    turned = _rotated(queries, frame_rotations(7, 7, 8).float())
    products = turned @ turned.transpose(-1, -2)
    torch.testing.assert_close(products[..., :-1, :-1], products[..., 1:, 1:])
    torch.testing.assert_close(turned.norm(dim=-1), queries.norm(dim=-1))
    assert products[0, 0, 0].diff().abs().max() > 1e-2
    with pytest.raises(ValidationError, match="even number of channels"):
        make_config(positions="relative", token_width=6, heads=2)


@pytest.mark.parametrize(("first", "trained"), [(4, {"layer4"}), (3, {"layer3", "layer4"}), (5, set())])
def test_frozen_stages_keep_weights_and_statistics(first: int, trained: set[str]) -> None:
    model = make_model(first_trained_stage=first).train()
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    model(make_frames(1, 6)).square().sum().backward()
    graded = {name for name, value in model.backbone.named_parameters() if value.grad is not None}
    moved = {
        name for name, value in model.backbone.state_dict().items() if not torch.equal(value, before[name])
    }
    assert {name.split(".")[0] for name in graded} == trained
    assert {name.split(".")[0] for name in moved} == trained
    assert all("running" in name or "num_batches" in name for name in moved)


def test_an_unused_last_stage_is_held_but_not_trained() -> None:
    model = make_model(**CONVOLUTIONAL).train()
    model(make_frames(2, 2, side=65)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == ("layer4" in name), name


def test_blocks_change_batch_statistics_only() -> None:
    frames = make_frames(2, 6)
    whole, blocked = make_model(), make_model(frames_per_block=4)
    torch.testing.assert_close(blocked.embed(frames), whole.embed(frames))
    whole.train()
    blocked.train()
    assert not torch.allclose(blocked.embed(frames), whole.embed(frames))


@pytest.mark.parametrize(
    ("changes", "frames", "message"),
    [
        ({}, make_frames(6), "takes frames"),
        ({}, make_frames(1, 2, side=16), "at least 32"),
        (CONVOLUTIONAL, make_frames(1, 2, side=64), "at least 65"),
        (CONVOLUTIONAL, make_frames(1, 3, side=65), "whole number of positions"),
    ],
)
def test_frames_that_do_not_fit_are_refused(changes: dict[str, Any], frames: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_model(**changes).embed(frames)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "heads"),
        ({"context_frames": 2}, "no context frames"),
        ({"classes": 3}, "not both"),
        ({"first_trained_stage": 6}, "first_trained_stage"),
    ],
)
def test_senseless_sizes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_config(**changes)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [({}, 26_598_848), ({"layers": 3}, 27_388_608)],
)
def test_published_sizes(config: dict[str, Any], parameters: int) -> None:
    published = make_config().__class__(**config)
    with torch.device("meta"):
        model = CarlModel(published)
    assert sum(value.numel() for value in model.parameters()) == parameters
    assert sum(value.numel() for value in model.backbone.layer4.parameters()) == 14_964_736
