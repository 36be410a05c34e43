"""The page beside weights says what they are, in a form that hubs of models read."""

import pytest
import yaml

from vidrep_pipelines.models.shared.model_card import CardLayout, model_card, system_of

META = {"system": "rsp", "step": 300, "passes": 2.0, "digest": "0123", "metrics": {"loss": 0.123456}}


def test_it_says_where_the_weights_came_from() -> None:
    card = model_card({"depth": 12}, META)
    for said in (
        "ICML 2024",
        "| updates | 300 |",
        "`0123`",
        "loss 0.1235",
        '"depth": 12',
        "model.safetensors",
    ):
        assert said in card
    assert 'vidrep_pipelines.load(".")' in card
    assert model_card({"depth": 12}, dict(META)) == card


def test_its_head_is_what_hubs_read() -> None:
    head = model_card({}, META).split("---")[1]
    assert yaml.safe_load(head) == {
        "library_name": "vidrep-pipelines",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["video", "representation-learning", "rsp"],
    }


def test_a_model_that_encodes_no_frames_is_not_said_to() -> None:
    for system in ("vpp_policy", "yours"):
        card = model_card({}, {"system": system})
        assert "encode(" not in card and "| updates |" not in card


@pytest.mark.parametrize("layout", ["ours", "original", "timm", "diffusers"])
def test_every_layout_lists_its_files(layout: CardLayout) -> None:
    listed = model_card({}, META, layout).partition("## Files")[2]
    assert {"timm": "timm's names", "diffusers": "unet/", "original": ".pth", "ours": "config.json"}[
        layout
    ] in listed


def test_a_tokenizer_is_one_whatever_trained_it() -> None:
    assert system_of({"kind": "vae", "model": {}}, {"system": "voc_joint"}) == "voc_vae"
    assert system_of({"kind": "linear"}, {"system": "voc_joint"}) == "voc_joint"
    assert system_of({}, {}) == "model"
