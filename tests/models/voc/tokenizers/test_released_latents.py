from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from tests.models.voc.tokenizers.tiny import vae_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.voc.tokenizers import released_latents
from vidrep_pipelines.models.voc.tokenizers.released_latents import released_episodes
from vidrep_pipelines.models.voc.tokenizers.vae.checkpoint_io import to_original
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer

STEPS = [0, 1, 1, 2]


def write_latents(folder: Path, name: str, episodes: int, value: int = 0) -> None:
    """A file in the published layout; all codes are ``value``."""
    rows = len(STEPS) * episodes
    with h5py.File(folder / name, "w") as file:
        file["step_type"] = np.array(STEPS * episodes)
        file["action"] = np.zeros((rows, 6), np.float32)
        file["reward"] = np.arange(rows, dtype=np.float32)
        file["discount"] = np.ones(rows, np.float32)
        file["vae_latents"] = np.full((rows, 25), value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "latents"
    folder.mkdir()
    write_latents(folder, "1_expert_vq_latents.hdf5", 6, value=3)
    write_latents(folder, "0_expert_vq_latents.hdf5", 4, value=2)
    return folder


def read(folder: Path | None, tokenizer: Path | None = None, **shares: float):  # type: ignore[no-untyped-def]
    return released_episodes(folder, "vae_latents", tokenizer=tokenizer, vocabulary=8, shares=shares, seed=1)


def test_files_are_joined_in_the_order_of_their_names(folder: Path) -> None:
    episodes = read(folder, validation=0.2, test=0.1)
    assert episodes.names[0] == "0_expert_vq_latents/episode_0000" and len(set(episodes.names)) == 10
    assert episodes.codes[0, 0] == 2 and episodes.codes[-1, 0] == 3 and episodes.grid == (5, 5)
    assert episodes.codebook is None and episodes.vocabulary == 8
    counts = {split: episodes.splits.count(split) for split in set(episodes.splits)}
    assert counts == {"train": 7, "validation": 2, "test": 1}
    assert read(folder, validation=0.2, test=0.1).splits == episodes.splits
    assert set(read(folder).splits) == {"train"}


def test_the_codebook_is_the_tokenizers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = VaeTokenizer(vae_config())
    torch.save(to_original(tokenizer.state_dict()), tmp_path / "vae.pth")
    monkeypatch.setattr(released_latents, "VaeConfig", vae_config)
    episodes = read(folder, tmp_path / "vae.pth")
    np.testing.assert_array_equal(episodes.codebook, tokenizer.codebook.detach().numpy())
    assert episodes.vocabulary == len(tokenizer.codebook)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="VIDREP_VOC_LATENTS"):
        read(None)
    with pytest.raises(InputError, match=r"no \.hdf5 file of published codes in"):
        read(tmp_path)
    with pytest.raises(InputError, match="none is left to train on"):
        read(folder, validation=0.5, test=0.5)
