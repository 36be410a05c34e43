from typing import Any

import numpy as np
import pytest
import torch

from vidrep_pipelines.models.rsp.pictures import COLUMNS, attention_maps, prediction_sheet, to_pixels

from .tiny import OBJECTIVE, make_frames, make_model

TILE, GAP, HEADING = 96, 4, 16


@pytest.mark.parametrize("normalize", [True, False])
def test_sheet_shows_all_columns_and_is_repeatable(normalize: bool) -> None:
    model, (source, target) = make_model(), make_frames(2)
    config = OBJECTIVE.model_copy(update={"normalize_patches": normalize})
    sheets = [
        prediction_sheet(model, source, target, config, torch.tensor(seeds))
        for seeds in ([3, 4], [3, 4], [5, 6])
    ]
    assert sheets[0].size == (len(COLUMNS) * (TILE + GAP) + GAP, 2 * (TILE + GAP) + GAP + HEADING)
    first, second, other = (np.asarray(sheet) for sheet in sheets)
    assert (first == second).all()
    assert (first != other).any()
    tile = first[HEADING + GAP : HEADING + GAP + TILE : 3, GAP : GAP + TILE : 3]
    assert (tile == to_pixels(source)[0].numpy()).all()


def test_visible_patches_of_masked_input_and_reconstruction_are_the_target() -> None:
    model, (source, target) = make_model(), make_frames(1)
    sheet = np.asarray(prediction_sheet(model, source, target, OBJECTIVE, torch.tensor([0])))
    top = HEADING + GAP
    tiles = {
        name: sheet[top : top + TILE : 3, GAP + i * (TILE + GAP) : GAP + i * (TILE + GAP) + TILE : 3]
        for i, name in enumerate(COLUMNS)
    }
    same = [
        (tiles[name] == tiles["target"]).reshape(4, 8, 4, 8, 3).all(axis=(1, 3, 4)).sum()
        for name in ("masked", "reconstruction")
    ]
    assert same == [4, 4]
    assert (tiles["prior 1"] != tiles["prior 2"]).any()


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
