"""The pipelines of Video Occupancy Models: what they write, what a second run does, files of others."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.helpers.project import load, merged, run_pipeline
from tests.helpers.voc import TINY_VOC
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.voc.config import VocModelConfig
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source, tokenize


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after everything up to a trained occupancy model."""
    folder = tmp_path_factory.mktemp("voc")
    run_pipeline("pretrain_voc_vae", folder, TINY_VOC)
    return folder


def times(folder: Path, *patterns: str) -> dict[str, int]:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    assert found
    return {str(path): path.stat().st_mtime_ns for path in found}


def test_tokens_are_those_of_the_frames(data: Path) -> None:
    tokens, frames = load("voc_vae.token_episodes", data), load("dmc_frames", data)
    checkpoint = load("voc_tokenizer_vae_checkpoint", data)
    tokenizer = checkpoint_source(checkpoint.config, checkpoint.weights).load()
    episodes = tokens.episodes
    assert episodes.codes.dtype == np.int16 and episodes.names == tuple(frames.ids)
    assert sorted(set(episodes.splits)) == ["test", "train", "validation"]
    for number, view in enumerate(frames.ids):
        rows = slice(*episodes.offsets[number : number + 2])
        pictures = torch.from_numpy(frames.frames(view)).permute(0, 3, 1, 2)
        np.testing.assert_array_equal(episodes.codes[rows], tokenize(tokenizer, pictures).flatten(1))
        np.testing.assert_array_equal(episodes.rewards[rows][1:], frames.outcomes(view)[:, 0])
    report = json.loads((data / "08_reporting/voc_vae/codes_report.json").read_text())
    assert report["codes"] == episodes.codes.size
    assert report["codebook_use"] == len(np.unique(episodes.codes)) / 16


def test_the_model_fits_its_tokens(data: Path) -> None:
    checkpoint, episodes = load("voc_vae_checkpoint", data), load("voc_vae.token_episodes", data).episodes
    model = trained_model(VocModel(VocModelConfig.model_validate(checkpoint.config)), checkpoint.state_dict())
    assert model.config.gpt.vocabulary == episodes.vocabulary and model.config.grid == episodes.grid
    assert model.codebook is not None
    np.testing.assert_array_equal(model.codebook.numpy(), episodes.codebook)
    assert checkpoint.meta["step"] == 4
    log = pd.read_parquet(data / "08_reporting/voc_vae/train_log.parquet")
    assert log["train/loss_reward"].notna().all()


def test_pictures(data: Path) -> None:
    tokenizer = ("loss_curves", "predictions", "code_use")
    for name in (
        *(f"voc_vae_tokenizer/{name}" for name in tokenizer),
        *(f"voc_vae/{name}" for name in ("loss_curves", "predictions", "codes_histogram")),
    ):
        with Image.open(data / f"08_reporting/{name}.png") as image:
            low, high = image.convert("L").getextrema()
        assert high - low > 100, name  # something is drawn


def test_a_second_run_does_nothing_and_exports(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    heavy = ("05_model_input/**/*.h5", "06_models/*/run/**/*.safetensors", "07_model_output/**/*.h5")
    before = times(data, *heavy)
    with caplog.at_level(logging.INFO):
        run_pipeline("export_voc_vae", data, TINY_VOC)
    assert times(data, *heavy) == before
    for line in (
        "episodes: up to date",
        "voc_vae: training is up to date",
        "codes: up to date",
        "token episodes: up to date",
        "voc: training is up to date",
    ):
        assert line in caplog.text
    gpt, head = load("voc_vae.original_checkpoint", data), load("voc_vae.original_reward_head", data)
    assert {"transformer.wte.weight", "lm_head.weight"} <= gpt.keys()
    assert set(head) == {f"l{n}.{part}" for n in (1, 2, 3) for part in ("weight", "bias")}
    assert "quantize.embedding.weight" in load("voc_tokenizer_vae.original_checkpoint", data)


def test_files_of_others_take_the_place_of_training(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    exports = ["voc_tokenizer_vae.export", "voc_vae.export", "voc_vae.export_reward_head"]
    run_pipeline("export_voc_vae", data, TINY_VOC, node_names=exports)
    exported = data / "07_model_output"
    files = {
        "voc_tokenizer_vae": {
            "run": {
                "published": str(exported / "voc_vae_tokenizer/original_checkpoint.pth"),
                "published_pixels": "of_model",
            }
        },
        "voc_vae": {
            "run": {
                "initialize_from": str(exported / "voc_vae/original_checkpoint.pth"),
                "initialize_reward_from": str(exported / "voc_vae/original_reward_head.pth"),
            }
        },
    }
    weights = load("voc_tokenizer_vae_checkpoint", data).state_dict()
    weights = {name: value.clone() for name, value in weights.items()}
    codes = load("voc_vae.token_episodes", data).episodes.codes
    with caplog.at_level(logging.INFO):
        run_pipeline("pretrain_voc_vae", data, merged(TINY_VOC, files), to_nodes=["voc_vae.train"])
    finished = load("voc_tokenizer_vae_checkpoint", data)
    assert finished.meta["step"] == 0 and "initialize_reward_from" in caplog.text
    kept = {name: value for name, value in weights.items() if not name.startswith("codebook_average.")}
    assert all(torch.equal(finished.state_dict()[name], value) for name, value in kept.items())
    np.testing.assert_array_equal(load("voc_vae.token_episodes", data).episodes.codes, codes)


def test_joint_training_gives_a_tokenizer_and_a_model_on_its_codes(data: Path) -> None:
    run_pipeline(["eval_occupancy_joint", "export_voc_joint"], data, TINY_VOC)
    checkpoint, episodes = load("voc_joint_checkpoint", data), load("voc_joint.token_episodes", data).episodes
    model = trained_model(VocModel(VocModelConfig.model_validate(checkpoint.config)), checkpoint.state_dict())
    assert model.codebook is not None
    np.testing.assert_array_equal(model.codebook.numpy(), episodes.codebook)
    assert model.rewards(torch.from_numpy(episodes.states_of(0, 2))).isfinite().all()
    log = pd.read_parquet(data / "08_reporting/voc_joint/train_log.parquet")
    assert {"train/loss_pixel", "train/loss_occupancy", "train/loss_reward"} <= set(log)
    scores = load("voc_joint.occupancy_scores", data)
    assert set(scores["model"]) == {"joint"} and "value_error" in set(scores["metric"])
    assert "transformer.wte.weight" in load("voc_joint.original_checkpoint", data)
    exported = load("voc_tokenizer_joint.original_checkpoint", data)
    np.testing.assert_array_equal(exported["quantize.embedding.weight"].numpy(), episodes.codebook)
