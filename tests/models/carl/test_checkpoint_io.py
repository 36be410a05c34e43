import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.helpers.published_names import published_names
from tests.models.carl.tiny import CONVOLUTIONAL, make_config, make_frames, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.checkpoint_io import (
    from_original,
    infer_model_config,
    load_into,
    load_original,
    original_checkpoint,
    original_optimizer_state,
    original_settings,
    to_original,
)
from vidrep_pipelines.models.carl.model import CarlModel, parameter_groups
from vidrep_pipelines.models.carl.presets import CarlPreset
from vidrep_pipelines.models.shared.trained import trained_model

PUBLISHED = {
    "scl_transformer_config": ("scl_transformer", None),
    "scl_transformer_action_config": ("scl_transformer_action", None),
    "classification_transformer_finegym_config": ("classification_transformer_finegym", 99),
    "scl_config": ("scl", None),
    "tcc_config": ("tcc", None),
}
KINDS: dict[str, dict[str, Any]] = {
    "transformer": {},
    "unpublished": {"positions": "relative", "standardize_features": True},
    "classification": {"projection_width": None, "classes": 3},
    "conv": CONVOLUTIONAL,
    "vanilla": {**CONVOLUTIONAL, "encoder": "vanilla"},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_ours(name: str) -> None:
    preset, classes = PUBLISHED[name]
    config = CarlPreset.named(preset, classes=classes).model
    with torch.device("meta"):
        state = to_original(CarlModel(config).state_dict())
    assert infer_model_config(state, original_settings(config)) == config
    found = [(key, list(value.shape)) for key, value in state.items()]
    assert found == list(published_names("carl")[name].items())


@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_are_read_and_written_without_losing_a_tensor(kind: str, tmp_path: Path) -> None:
    config = make_config(**KINDS[kind])
    model, path = make_model(**KINDS[kind]), tmp_path / "checkpoint_epoch_00299.pth"
    torch.save(original_checkpoint(model.state_dict(), epoch=299, settings=original_settings(config)), path)
    checkpoint = load_original(path)
    assert checkpoint.epoch == 299
    other = CarlModel(config)
    load_into(other, checkpoint.weights, path.name)
    assert all(torch.equal(other.state_dict()[name], value) for name, value in model.state_dict().items())
    assert from_original(checkpoint.weights).keys() == model.state_dict().keys()
    again = infer_model_config(checkpoint.weights, checkpoint.settings, heads=2)
    unseen = {"image_size", "dropout", "first_trained_stage", "frames_per_block", "context_frames"}
    unseen |= {
        "convolution_width",
        "token_width",
        "feedforward_width",
        "layers",
        "heads",
    } - again.model_fields_set
    assert again.model_dump(exclude=unseen) == config.model_dump(exclude=unseen)


def test_settings_of_published_files_are_read_without_their_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published files hold EasyDicts, of a package that need not be installed."""
    module = ModuleType("easydict")

    class EasyDict(dict[str, Any]):
        def __init__(self, content: dict[str, Any]) -> None:
            super().__init__()
            for name, value in content.items():
                plain = EasyDict(value) if isinstance(value, dict) else value
                self[name] = plain
                setattr(self, name, plain)

    EasyDict.__module__, EasyDict.__qualname__ = "easydict", "EasyDict"
    module.EasyDict = EasyDict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "easydict", module)
    settings = EasyDict({"TRAIN": {"NUM_FRAMES": 6}, "MODEL": {"L2_NORMALIZE": False}, "SIZES": [1, (2, 3)]})
    model = make_model()
    content = original_checkpoint(model.state_dict(), epoch=0, settings={})
    torch.save({**content, "cfg": settings}, tmp_path / "published.pth")
    monkeypatch.delitem(sys.modules, "easydict")
    checkpoint = load_original(tmp_path / "published.pth")
    assert checkpoint.settings["TRAIN"] == {"NUM_FRAMES": 6} and type(checkpoint.settings["TRAIN"]) is dict
    assert checkpoint.settings["SIZES"] == [1, [2, 3]]
    config = infer_model_config(checkpoint.weights, checkpoint.settings, heads=2)
    assert config.frames == 6 and not config.normalize


def test_bare_state_dicts_are_read_and_counters_may_be_missing(tmp_path: Path) -> None:
    model = make_model()
    state = {
        f"module.{name}": value
        for name, value in to_original(model.state_dict()).items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(state, tmp_path / "bare.pth")
    save_file(state, tmp_path / "bare.safetensors")
    for name in ("bare.pth", "bare.safetensors"):
        other = make_model(seed=3)
        load_into(other, load_original(tmp_path / name).weights, name)
        frames = make_frames(1, 6)
        assert torch.equal(other.embed(frames), model.embed(frames))


class _Command:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def test_unusable_files_are_refused_and_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.pth").write_text("nothing")
    torch.save({"model_state": {}, "cfg": _Command()}, tmp_path / "command.pth")
    torch.save({"model_state": {"a": "b"}}, tmp_path / "words.pth")
    for name in ("text.pth", "command.pth", "words.pth", "nowhere.pth"):
        with pytest.raises(InputError, match=name):
            load_original(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_differences_are_listed() -> None:
    state = to_original(make_model().state_dict())
    del state["embed.embedding_layer.bias"]
    with pytest.raises(InputError, match=r"head\.to_embedding\.bias is missing"):
        load_into(make_model(), state, "x.pth")
    with pytest.raises(InputError, match=r"\(8,\), expected \(4,\)"):
        load_into(make_model(embedding_width=4), to_original(make_model().state_dict()), "x.pth")
    with pytest.raises(InputError, match="no parameter of CARL"):
        from_original({"transformer.weight": torch.zeros(1)})
    with pytest.raises(InputError, match="no parameter of CARL"):
        to_original({"tokenizer.weight": torch.zeros(1)})


def test_a_trained_model_is_for_use() -> None:
    trained = make_model(dropout=0.5)
    model = trained_model(CarlModel(make_config(dropout=0.5)), trained.state_dict())
    assert not model.training
    assert torch.equal(model.embed(make_frames(1, 6)), trained.embed(make_frames(1, 6)))
    with pytest.raises(InputError, match="The checkpoint belongs to another architecture"):
        trained_model(CarlModel(make_config(layers=1)), trained.state_dict())


def test_optimizer_states_are_numbered_in_the_published_order() -> None:
    model = make_model().train()
    optimizer = torch.optim.Adam(parameter_groups(model, 1e-5), lr=1e-3)
    model(make_frames(2, 6)).square().sum().backward()
    optimizer.step()
    exported = original_optimizer_state(optimizer, model)
    sizes = [len(group["params"]) for group in exported["param_groups"]]
    assert [number for group in exported["param_groups"] for number in group["params"]] == list(
        range(sum(sizes))
    )
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert sum(sizes) == len(trained)
    first = next(p for name, p in model.named_parameters() if name == "backbone.layer4.0.bn1.weight")
    assert torch.equal(exported["state"][0]["exp_avg"], optimizer.state[first]["exp_avg"])
    other = make_model(seed=1).train()
    torch.optim.Adam(parameter_groups(other, 1e-5), lr=1e-3).load_state_dict(exported)


def test_groups_hold_every_trained_parameter_once_and_decay_all() -> None:
    model = make_model(**CONVOLUTIONAL)
    norms, others = parameter_groups(model, 0.5)
    assert norms["weight_decay"] == others["weight_decay"] == 0.5
    found = [id(parameter) for group in (norms, others) for parameter in group["params"]]
    assert sorted(found) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert all(parameter.ndim == 1 for parameter in norms["params"])


def test_weights_without_their_number_of_frames_mean_nothing() -> None:
    state = to_original(make_model().state_dict())
    with pytest.raises(InputError, match="how many frames"):
        infer_model_config(state)
    assert infer_model_config(state, frames=80, heads=2).frames == 80
    with pytest.raises(InputError, match="not those of CARL"):
        infer_model_config({"fc.weight": torch.zeros(2, 2)}, frames=80)
