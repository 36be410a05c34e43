import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.models.vqvae.tiny import DATA, make_config, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig
from vidrep_pipelines.models.vqvae.trained import TrainedVqvae


def publish(folder: Path, config: VqvaeModelConfig) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(make_model(config).state_dict(), folder / "model.safetensors")
    described = {"model": config.model_dump(mode="json"), "data": DATA.model_dump(mode="json")}
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def make_frames(*shape: int) -> Any:
    return np.random.default_rng(3).integers(0, 256, (*shape, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("codes", ["euclidean", "cosine"])
@pytest.mark.parametrize("decoder", ["2d", "3d", "residual_causal_3d"])
def test_codes_decode_to_the_reconstruction_bit_for_bit(tmp_path: Path, decoder: str, codes: str) -> None:
    trained = TrainedVqvae.load(publish(tmp_path, make_config({"codes": codes}, decoder=decoder)))
    frames = make_frames(2, 5)
    reconstruction, found = trained.reconstruct(frames)
    assert reconstruction.shape == (2, 5, 3, 16, 16)
    assert torch.equal(trained.encode(frames)[0], found)
    assert torch.equal(trained.decode(found.numpy().astype(np.int16)), reconstruction)
    assert len(found.unique()) > 3


def test_codes_of_a_frame_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    trained = TrainedVqvae.load(publish(tmp_path, make_config()))
    frames = make_frames(9)
    whole, latents = trained.encode(frames)
    assert latents.shape == (9, 4, 8, 8)
    pieces = torch.cat([trained.encode(frames[start : start + 2])[0] for start in range(0, 9, 2)])
    assert torch.equal(whole, pieces)


@pytest.mark.parametrize("codes", [np.full((1, 2, 8, 8), 16), np.full((1, 2, 8, 8), -1), np.zeros((2, 8, 8))])
def test_other_codes_are_refused(tmp_path: Path, codes: Any) -> None:
    trained = TrainedVqvae.load(publish(tmp_path, make_config()))
    with pytest.raises(InputError, match="odes"):
        trained.decode(codes.astype(np.int16))


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors", "content"])
def test_damaged_checkpoints_are_named(tmp_path: Path, damage: str) -> None:
    folder = publish(tmp_path / "checkpoint", make_config())
    if damage == "content":
        (folder / "config.json").write_text("{}")
    else:
        (folder / damage).unlink()
    with pytest.raises(InputError, match=r"checkpoint holds no checkpoint of a VQ-VAE .*pretrain_vqvae"):
        TrainedVqvae.load(folder)
