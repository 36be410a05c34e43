from typing import Any

import numpy as np
import pytest
import torch

from tests.models.rsp.tiny import OBJECTIVE, make_frames, make_model
from vidrep_pipelines.data.transforms import denormalize
from vidrep_pipelines.models.rsp.pictures import (
    BORROWED,
    COLUMNS,
    attention_maps,
    prediction_columns,
    prediction_sheet,
)
from vidrep_pipelines.models.shared.units import channels_last


@pytest.mark.parametrize("normalize", [True, False])
def test_sheet_is_repeatable(normalize: bool) -> None:
    model, (source, target) = make_model(), make_frames(2)
    config = OBJECTIVE.model_copy(update={"normalize_patches": normalize})
    first, second, other = (
        np.asarray(prediction_sheet(model, source, target, config, torch.tensor(seeds)))
        for seeds in ([3, 4], [3, 4], [5, 6])
    )
    assert (first == second).all()
    assert (first != other).any()


def test_sheet_has_a_tile_for_every_column_of_every_example() -> None:
    model, (source, target) = make_model(), make_frames(2)
    sheet = prediction_sheet(model, source, target, OBJECTIVE, torch.tensor([3, 4]))
    assert sheet.width >= (len(COLUMNS) + 1) * 128
    assert sheet.height >= 2 * 128
    plain = OBJECTIVE.model_copy(update={"normalize_patches": False})
    assert len(prediction_columns(model, source, target, plain, torch.tensor([3, 4]))) == len(COLUMNS)


def test_visible_patches_of_masked_input_and_reconstruction_are_the_target() -> None:
    model, (source, target) = make_model(), make_frames(1)
    columns = prediction_columns(model, source, target, OBJECTIVE, torch.tensor([0]))
    named = {
        name: channels_last(denormalize(images))[0]
        for name, images in zip((*COLUMNS, BORROWED), columns, strict=True)
    }
    assert (named["source"] == channels_last(denormalize(source))[0]).all()
    same = [
        (named[name] == named["target"]).reshape(4, 8, 4, 8, 3).all(axis=(1, 3, 4)).sum()
        for name in ("masked", "reconstruction")
    ]
    assert same == [4, 4]
    assert (named["prior 1"] != named["prior 2"]).any()


def test_attention_maps_are_the_softmax_of_the_last_block() -> None:
    model, (images, _) = make_model(), make_frames(2)
    maps = attention_maps(model, images)
    assert maps.shape == (2, 2, 4, 4)
    assert ((maps.sum((2, 3)) < 1) & (maps.sum((2, 3)) > 0)).all()
    block: Any = model.encoder.blocks[-1]
    tokens = torch.cat(
        [
            (model.encoder.cls_token + model.encoder.pos_embed[:, :1]).expand(2, -1, -1),
            model.encoder.patch_embed(images) + model.encoder.pos_embed[:, 1:],
        ],
        dim=1,
    )
    qkv = block.attn.qkv(block.norm1(model.encoder.blocks[0](tokens)))
    query, key = (part.reshape(2, 17, 2, 16).transpose(1, 2) for part in qkv.chunk(3, -1)[:2])
    expected = (query @ key.transpose(-2, -1) / 4).softmax(-1)[:, :, 0, 1:].reshape(2, 2, 4, 4)
    torch.testing.assert_close(maps, expected)
