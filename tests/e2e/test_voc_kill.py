"""``kill -9`` while a tokenizer trains and while tokens are extracted: the same command finishes the same."""

import json
from pathlib import Path

import pytest

from tests.helpers.journals import finished_rows
from tests.helpers.project import kill_group, merged, start_kedro, wait_until
from tests.helpers.voc import TINY_VOC
from vidrep_pipelines.models.voc.token_file import read_token_episodes

PIPELINE = "latent_extraction_voc_vae"
PARAMETERS = merged(
    {name: TINY_VOC[name] for name in ("dmc", "launch", "tracking")},
    {
        "fanout": {"engine": "local", "workers": 2},
        "voc_vae_tokenizer": {  # lists cannot be written on the command line
            "model": {"pixels": {"size": 16}, "codes": {"size": 16}},
            "train": {**TINY_VOC["voc_vae_tokenizer"]["train"], "steps": 12, "checkpoint_every_steps": 3},
        },
    },
)


def finish(data: Path) -> None:
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert process.wait(timeout=600) == 0, (data / "log.txt").read_text()[-3000:]


def losses(data: Path) -> list[tuple[int, float]]:
    lines = (data / "06_models/voc_vae_tokenizer/run/train_log.jsonl").read_text().splitlines()
    return [(row["step"], row["train/loss"]) for row in map(json.loads, lines)]


@pytest.mark.slow
def test_killed_twice(tmp_path: Path) -> None:
    whole, data = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    data.mkdir()
    finish(whole)
    log = data / "06_models/voc_vae_tokenizer/run/train_log.jsonl"
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 5, 600)
    kill_group(process)
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert wait_until(lambda: bool(finished_rows(data / "07_model_output/voc_vae/codes")), 600)
    kill_group(process)
    finish(data)
    assert losses(data) == losses(whole)
    tokens = "05_model_input/voc_vae_token_episodes.h5"
    assert read_token_episodes(data / tokens).equals(read_token_episodes(whole / tokens))
    assert not [path for path in data.rglob(".*") if ".partial-" in path.name]
