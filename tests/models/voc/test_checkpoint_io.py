from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.helpers.published_names import published_names
from tests.models.voc.test_gpt import make_gpt
from tests.models.voc.test_objective import make_model
from tests.models.voc.tiny import make_config
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.voc.checkpoint_io import (
    from_original,
    infer_gpt_config,
    load_gpt_into,
    load_into,
    load_original,
    load_reward_into,
    reward_to_original,
    to_original,
)
from vidrep_pipelines.models.voc.config import VocPreset
from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.model import RewardHead, VocModel


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    gpt, path = make_gpt(), tmp_path / "gpt.safetensors"
    save_file(to_original(gpt.state_dict()), path)
    state = load_original(path)
    assert state["transformer.h.0.mlp.c_fc.weight"].shape == (16, 64)  # (in, out)
    assert infer_gpt_config(state, heads=2) == gpt.config
    model = VocModel(make_config())
    load_into(model, state, "gpt")
    for name, value in gpt.state_dict().items():
        assert torch.equal(model.gpt.state_dict()[name], value)
        assert torch.equal(model.target.state_dict()[name], value)


def test_old_files_with_constant_masks_load() -> None:
    state = to_original(make_gpt().state_dict())
    masks = {
        "transformer.h.0.attn.bias": torch.ones(1, 1, 8, 8),
        "transformer.h.0.attn.masked_bias": torch.ones(()),
    }
    load_gpt_into(make_gpt(), {**state, **masks}, "old")


def test_another_architecture_is_refused() -> None:
    state = to_original(make_gpt().state_dict())
    missing = {name: value for name, value in state.items() if name != "transformer.ln_f.bias"}
    with pytest.raises(InputError, match=r"norm\.bias is missing.*Remedy"):
        load_gpt_into(make_gpt(), missing, "file")
    wide = {**state, "transformer.wpe.weight": torch.zeros(8, 17)}
    with pytest.raises(InputError, match=r"position_embedding\.weight is \(8, 17\), expected \(8, 16\)"):
        load_gpt_into(make_gpt(), wide, "file")
    with pytest.raises(InputError, match="no parameter of an occupancy GPT"):
        from_original({**state, "transformer.h.0.cross.weight": torch.zeros(1)})
    with pytest.raises(InputError, match="tied"):
        from_original({**state, "lm_head.weight": torch.zeros(11, 16)})
    with pytest.raises(InputError, match="no parameter of an occupancy GPT"):
        to_original(make_gpt(actions=True).state_dict())
    with pytest.raises(InputError, match="heads"):
        infer_gpt_config(state, heads=3)
    with pytest.raises(InputError, match="not those of an occupancy GPT"):
        infer_gpt_config({}, heads=2)
    with pytest.raises(InputError, match="reward head"):
        load_reward_into(RewardHead(make_config()), {"l9.weight": torch.zeros(1)}, "file")


def test_checkpoints_of_ours_load_whole() -> None:
    model = make_model()
    model.follow(0.5)
    found = trained_model(VocModel(make_config()), model.state_dict())
    assert not found.training
    assert all(torch.equal(found.state_dict()[name], value) for name, value in model.state_dict().items())
    with pytest.raises(InputError, match="another architecture"):
        trained_model(VocModel(make_config(reward=False)), model.state_dict())


@pytest.mark.parametrize(
    ("name", "tokenizer"), [("vae_musik", "vae"), ("vae_musik", "musik"), ("dino", "dino")]
)
def test_published_names_and_shapes(name: str, tokenizer: str) -> None:
    published = published_names("voc")
    config = VocPreset.published(tokenizer).model  # type: ignore[arg-type]
    with torch.device("meta"):
        gpt, head = Gpt(config.gpt, config.state_tokens), RewardHead(config)
        exported = to_original(gpt.state_dict())
    for found, expected in (
        (exported, published[f"gpt_{name}"]),
        (reward_to_original(head.state_dict()), published[f"reward_predictor_{name}"]),
    ):
        shapes = {key: list(value.shape) for key, value in found.items()}
        assert shapes == {key: shape for key, (shape, _) in expected.items()}
