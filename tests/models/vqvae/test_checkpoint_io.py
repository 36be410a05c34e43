from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.published_names import published_names
from tests.models.vqvae.tiny import make_config, make_images, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.patch_discriminator import PatchDiscriminator
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.vqvae.checkpoint_io import (
    from_original,
    infer_model_config,
    load_into,
    load_original,
    original_checkpoint,
    original_optimizer_state,
    read_original,
    to_original,
    unpublished_settings,
    without_discriminator,
)
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeModelConfig, VqvaePreset
from vidrep_pipelines.models.vqvae.model import VqvaeModel

COUNTS = {"baseline_2d": 68_103_491, "baseline": 68_103_491, "3d_decoder__2d_loss": 68_104_865}


@pytest.mark.parametrize("name", COUNTS)
def test_published_sizes(name: Any) -> None:
    config = VqvaePreset.named(name).model
    with torch.device("meta"):
        model = VqvaeModel(config)
    assert sum(value.numel() for value in model.parameters()) == COUNTS[name]
    assert infer_model_config(to_original(model.state_dict())) == config
    table = published_names("vqvae")
    expected = table[name] if isinstance(table[name], dict) else table["baseline_2d"]
    found = {key: list(value.shape) for key, value in to_original(model.state_dict()).items()}
    assert found == {key: shape for key, shape in expected.items() if not key.startswith("loss.")}


@pytest.mark.parametrize("decoder", ["2d", "3d"])
def test_published_files_are_read_and_written_without_losing_a_tensor(decoder: str, tmp_path: Path) -> None:
    config = make_config(decoder=decoder)
    model, path = make_model(config), tmp_path / "70000.ckpt"
    content = original_checkpoint(model.state_dict(), step=70_000)
    content["model_state_dict"]["loss.perceptual_loss_2d.lin0.model.1.weight"] = torch.zeros(1)
    torch.save({**content, "checkpoint_log": {"PSNR": np.float64(3.0), "FVD": 1.0}}, path)
    state = load_original(path)
    assert not any(name.startswith("loss.") for name in state)
    other = make_model(config, seed=5)
    load_into(other, state, path.name)
    assert all(torch.equal(other.state_dict()[name], value) for name, value in model.state_dict().items())
    assert to_original(other.state_dict()).keys() == state.keys()
    assert from_original(state).keys() == model.state_dict().keys()


def test_a_bare_state_dict_is_read_too_and_other_files_are_refused(tmp_path: Path) -> None:
    torch.save(to_original(make_model().state_dict()), tmp_path / "bare.ckpt")
    assert len(load_original(tmp_path / "bare.ckpt")) == len(make_model().state_dict())
    (tmp_path / "text.ckpt").write_text("nothing")
    for name in ("text.ckpt", "nowhere.ckpt"):
        with pytest.raises(InputError, match=name):
            load_original(tmp_path / name)
    torch.save({"model_state_dict": {"a": print}}, tmp_path / "code.ckpt")
    with pytest.raises(InputError, match="refused"):
        load_original(tmp_path / "code.ckpt")


def test_differences_are_listed() -> None:
    state = to_original(make_model().state_dict())
    del state["quant_conv.bias"]
    with pytest.raises(InputError, match=r"to_latents\.bias is missing"):
        load_into(make_model(), state, "x.ckpt")
    with pytest.raises(InputError, match=r"\(16, 4\), expected \(32, 4\)"):
        load_into(make_model(make_config({"size": 32})), to_original(make_model().state_dict()), "x.ckpt")
    with pytest.raises(InputError, match="no parameter"):
        from_original({"transformer.weight": torch.zeros(1)})


def test_models_that_the_original_cannot_hold_are_not_exported() -> None:
    with pytest.raises(InputError, match=r"decoder\.head"):
        to_original(make_model(make_config(decoder="residual_causal_3d")).state_dict())


def test_an_averaged_codebook_starts_at_the_published_entries() -> None:
    state = to_original(make_model().state_dict())
    model = make_model(make_config({"update": "ema"}), seed=4)
    load_into(model, state, "x.ckpt")
    assert model.codebook_average is not None
    average = model.codebook_average
    torch.testing.assert_close(average.sums / average.shares[:, None], state["quantize.embedding.weight"])
    assert to_original(model.state_dict()).keys() == state.keys()


def test_a_trained_model_leaves_its_discriminator_behind() -> None:
    config = make_config()
    trained = VqvaeModel(config, PatchDiscriminator(width=8, layers=1))
    state = without_discriminator(trained.state_dict())
    model = trained_model(VqvaeModel(config), state)
    assert not model.training and model.discriminator is None
    images = make_images(1)
    assert torch.equal(model(images).reconstruction, trained(images).reconstruction)
    with pytest.raises(InputError, match="another architecture"):
        trained_model(VqvaeModel(make_config({"size": 32})), state)
    assert not any("discriminator" in name for name in to_original(trained.state_dict()))


def test_optimizer_states_are_numbered_in_the_published_order() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW([{"params": [p]} for p in reversed(list(model.parameters()))], lr=1e-3)
    outputs = model(make_images(2))
    (outputs.reconstruction.sum() + model.quantizer.lookup(outputs.quantized.codes).sum()).backward()
    optimizer.step()
    exported = original_optimizer_state(optimizer, model)
    names = list(to_original(model.state_dict()))
    place = names.index("quantize.embedding.weight")
    assert exported["state"][place]["exp_avg"].shape == (16, 4)
    assert [exported["state"][n]["exp_avg"].shape for n in range(len(names))] == [
        value.shape for value in to_original(model.state_dict()).values()
    ]
    assert exported["param_groups"][0]["params"] == list(range(len(names)))


def test_weights_of_other_models_have_no_config() -> None:
    with pytest.raises(InputError, match="VQ-VAE"):
        infer_model_config({"patch_embed.proj.weight": torch.zeros(2, 2)})


def test_what_the_original_does_not_have_is_noted_in_the_file_and_read_again(tmp_path: Path) -> None:
    config = make_config({"codes": "cosine"})
    data = VqvaeDataConfig(mean=(0.5, 0.4, 0.3))
    noted = unpublished_settings(config, data)
    assert noted == {"groups": 4, "codes": "cosine", "mean": [0.5, 0.4, 0.3]}
    assert unpublished_settings(VqvaeModelConfig(), VqvaeDataConfig()) == {}
    state = make_model(config).state_dict()
    torch.save(original_checkpoint(state, step=1, unpublished=noted), tmp_path / "noted.ckpt")
    weights, read = read_original(tmp_path / "noted.ckpt")
    assert read == noted
    inferred = infer_model_config(weights, image_size=16, unpublished=read)
    assert (inferred.groups, inferred.codebook.codes, inferred.width) == (4, "cosine", 8)
    with pytest.raises(InputError, match=r"cannot be normalized in 32 groups"):
        infer_model_config(weights, image_size=16)
    assert "unpublished" not in original_checkpoint(state, step=1, unpublished={})


def test_a_grid_of_levels_is_noted_and_read_again(tmp_path: Path) -> None:
    config = make_config({"dimension": 2, "codes": "fsq", "levels": (4, 4)})
    torch.manual_seed(0)
    model = VqvaeModel(config)
    noted = unpublished_settings(config, VqvaeDataConfig())
    assert (noted["codes"], noted["levels"]) == ("fsq", [4, 4])
    torch.save(original_checkpoint(model.state_dict(), step=1, unpublished=noted), tmp_path / "1.ckpt")
    state, read = read_original(tmp_path / "1.ckpt")
    inferred = infer_model_config(state, image_size=16, unpublished=read)
    assert inferred.codebook == config.codebook
    other = make_model(inferred, seed=4)
    load_into(other, state, "1.ckpt")
    images = make_images(2)
    assert torch.equal(other(images).reconstruction, model(images).reconstruction)
