import argparse
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.helpers.published_names import published_names
from tests.models.rsp.tiny import CONFIG, OBJECTIVE, make_frames, make_model, make_published, make_randomness
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.rsp.checkpoint_io import (
    encoder_state,
    from_original,
    infer_model_config,
    load_into,
    load_original,
    original_checkpoint,
    original_optimizer_state,
    our_name,
    to_original,
)
from vidrep_pipelines.models.rsp.config import RspModelConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import rsp_objective


def key_table(name: str) -> dict[str, list[int]]:
    table: dict[str, list[int]] = published_names("rsp")[name]
    return table


@pytest.mark.parametrize("name", ["vit_small_patch16", "vit_base_patch16"])
def test_published_key_tables_round_trip(name: str) -> None:
    table = key_table(f"rsp_{name}")
    with torch.device("meta"):
        ours = RspModel(RspModelConfig.model_validate({"name": name})).state_dict()
        published = {key: torch.empty(shape) for key, shape in table.items()}
    assert len(table) == len(ours) == 346
    exported = to_original(ours)
    assert list(exported) == list(table)
    assert {key: list(value.shape) for key, value in exported.items()} == table
    assert {key: value.shape for key, value in from_original(published).items()} == {
        key: value.shape for key, value in ours.items()
    }
    assert infer_model_config(published) == RspModelConfig.model_validate({"name": name})


@pytest.mark.parametrize("prefix", ["", "module."])
def test_file_round_trip_is_bitwise(tmp_path: Path, prefix: str) -> None:
    model, path = make_model(), tmp_path / "checkpoint-199.pth"
    arguments = argparse.Namespace(mask_ratio=0.75, accum_iter=8)  # as the published files carry it
    torch.save({**original_checkpoint(model.state_dict(), epoch=199), "args": arguments}, path)
    weights = {prefix + name: value for name, value in load_original(path).items()}
    other = make_model(seed=9)
    load_into(other, weights, str(path))
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(path, weights_only=True)
    assert content["epoch"] == 199 and content["args"].accum_iter == 8
    make_published(model).load_state_dict(content["model"])
    assert list(tmp_path.iterdir()) == [path]


def test_plain_state_dicts_and_safetensors_are_read(tmp_path: Path) -> None:
    state = to_original(make_model().state_dict())
    torch.save(state, tmp_path / "plain.pth")
    save_file(state, tmp_path / "weights.safetensors")
    for name in ("plain.pth", "weights.safetensors"):
        loaded = load_original(tmp_path / name)
        assert loaded.keys() == state.keys()
        assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_optimizer_state_is_numbered_as_published(tmp_path: Path) -> None:
    model, (source, target) = make_model(), make_frames()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
            {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.05},
        ],
        lr=1e-3,
    )
    rsp_objective(model, source, target, make_randomness(), OBJECTIVE).loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    state = original_optimizer_state(optimizer, model)
    torch.save(original_checkpoint(model.state_dict(), epoch=0, optimizer=state), tmp_path / "c.pth")

    reference = make_published(model)
    named = [(name, p) for name, p in reference.named_parameters() if p.requires_grad]
    order = list(to_original(dict(model.named_parameters())))
    named.sort(key=lambda pair: order.index(pair[0]))
    groups = [[p for _, p in named if p.ndim < 2], [p for _, p in named if p.ndim >= 2]]
    restored = torch.optim.AdamW([{"params": group} for group in groups], lr=1e-3)
    restored.load_state_dict(torch.load(tmp_path / "c.pth", weights_only=True)["optimizer"])
    ours = dict(model.named_parameters())
    for name, parameter in named:
        expected = optimizer.state[ours[our_name(name)]]["exp_avg"]
        assert torch.equal(restored.state[parameter]["exp_avg"], expected), name


def test_another_architecture_is_named(tmp_path: Path) -> None:
    bigger = CONFIG.model_copy(update={"embedding_dimension": 48, "depth": 3})
    state = to_original(make_model(bigger).state_dict())
    with pytest.raises(
        InputError, match=r"some\.pth belongs to another architecture.*blocks\.2.*more"
    ) as error:
        load_into(make_model(), state, "some.pth")
    assert "Remedy" in str(error.value)
    del state["blocks.2.norm1.weight"]
    with pytest.raises(InputError, match=r"blocks\.2\.norm1\.weight is missing"):
        load_into(make_model(bigger), state, "some.pth")
    with pytest.raises(InputError, match=r"cls_token is \(1, 1, 48\), expected \(1, 1, 32\)"):
        load_into(
            make_model(), {"cls_token": torch.zeros(1, 1, 48), **_without(make_model(), "cls_token")}, "x"
        )


def _without(model: RspModel, name: str) -> dict[str, Tensor]:
    return {key: value for key, value in to_original(model.state_dict()).items() if key != name}


def test_other_position_tables_are_refused() -> None:
    state = to_original(make_model().state_dict())
    state["pos_embed"] = state["pos_embed"].roll(1, dims=1)
    with pytest.raises(InputError, match="pos_embed is not the fixed sine-cosine table"):
        load_into(make_model(), state, "rolled.pth")


def test_unknown_names_are_refused_both_ways() -> None:
    for translate in (from_original, to_original):
        with pytest.raises(InputError, match=r"head\.weight"):
            translate({"head.weight": torch.zeros(1)})
    with pytest.raises(InputError, match="norm2"):
        from_original({"decoder_blocks.0.norm2.weight": torch.zeros(1)})


def _truncated(path: Path) -> None:
    torch.save({"model": to_original(make_model().state_dict())}, path)
    path.write_bytes(path.read_bytes()[:-5000])


def _truncated_safetensors(path: Path) -> None:
    save_file(to_original(make_model().state_dict()), path)
    path.write_bytes(path.read_bytes()[:-5000])


class _Touch:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("truncated.pth", _truncated, "truncated.pth"),
        ("truncated.safetensors", _truncated_safetensors, "damaged"),
        ("empty.pth", lambda path: path.write_bytes(b""), "empty.pth"),
        ("notes.pth", lambda path: path.write_text("These are my notes.\n"), "notes.pth"),
        ("list.pth", lambda path: torch.save([1, 2], path), "holds no weights"),
        ("numbers.pth", lambda path: torch.save({"epoch": 3, "lr": 0.1}, path), "no tensors are: epoch, lr"),
        ("clip.safetensors", lambda path: path.write_bytes(b"\0" * 64), "damaged"),
        ("absent.pth", lambda path: None, "There is no file"),
        ("folder.pth", lambda path: path.mkdir(), "no file"),
    ],
)
def test_unusable_files_are_named(tmp_path: Path, name: str, write: Any, message: str) -> None:
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as error:
        load_original(tmp_path / name)
    assert name in str(error.value)


@pytest.mark.parametrize("old_format", [True, False])
def test_malicious_pickles_are_not_executed(tmp_path: Path, old_format: bool) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "executed"
    if old_format:
        path.write_bytes(pickle.dumps({"model": _Touch(trace)}, protocol=2))
    else:
        torch.save({"model": _Touch(trace)}, path)
    with pytest.raises(InputError, match="nothing in it was executed"):
        load_original(path)
    assert not trace.exists()


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "base_encoder.", "module.backbone."])
def test_encoder_is_found_in_wrapped_checkpoints(prefix: str) -> None:
    model = make_model()
    state = {prefix + name: value for name, value in to_original(model.state_dict()).items()}
    del state[f"{prefix}norm.bias"]
    expected = model.encoder.state_dict()
    found = encoder_state(state, expected)
    assert found.missing == ("norm.bias",)
    assert found.weights.keys() == expected.keys() - {"norm.bias"}
    assert all(torch.equal(value, expected[name]) for name, value in found.weights.items())
    assert f"{prefix}decoder_blocks.0.norm1.weight" in found.ignored
    assert len(found.ignored) + len(found.weights) == len(state)


def test_encoder_is_found_in_our_own_state_dict() -> None:
    model = make_model()
    found = encoder_state(model.state_dict(), model.encoder.state_dict())
    assert found.missing == ()
    make_model(seed=4).encoder.load_state_dict(found.weights)
    assert all(not name.startswith("encoder.") for name in found.ignored)


@pytest.mark.parametrize("latent", ["discrete", "continuous"])
def test_config_is_read_off_the_shapes(latent: str) -> None:
    config = RspModelConfig.model_validate({**CONFIG.model_dump(), "latent": latent, "decoder_heads": 1})
    inferred = infer_model_config(
        to_original(make_model(config).state_dict()), heads=config.heads, latent_variables=4
    )
    ignored = {"latent_classes"} if latent == "continuous" else set()
    assert inferred.model_dump(exclude=ignored) == config.model_dump(exclude=ignored)


def test_config_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="not those of an RSP model"):
        infer_model_config({"fc.weight": torch.zeros(2, 2)})
