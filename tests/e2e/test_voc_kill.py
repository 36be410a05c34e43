"""``kill -9`` while a tokenizer trains and while tokens are extracted: the same command finishes the same."""

from pathlib import Path

import pytest

from tests.helpers.killed_run import losses, whole_and_killed
from tests.helpers.project import merged
from tests.helpers.voc import TINY_VOC
from vidrep_pipelines.data.token_episodes.file import read_token_episodes

PIPELINE = "latent_extraction_voc_vae"
PARAMETERS = merged(
    {name: TINY_VOC[name] for name in ("dmc", "sample_agent", "launch", "tracking")},
    {
        "fanout": {"engine": "local", "workers": 2},
        "voc_tokenizer_vae": {  # lists cannot be written on the command line
            "model": {"pixels": {"size": 16}, "codes": {"size": 16}},
            "train": {**TINY_VOC["voc_tokenizer_vae"]["train"], "steps": 12, "checkpoint_every_steps": 3},
        },
    },
)


@pytest.mark.slow
def test_killed_twice(tmp_path: Path) -> None:
    whole, data = whole_and_killed(
        PIPELINE, PARAMETERS, tmp_path, "voc_vae_tokenizer", "07_model_output/voc_vae/codes"
    )
    assert losses(data, "voc_vae_tokenizer") == losses(whole, "voc_vae_tokenizer")
    tokens = "05_model_input/voc_vae_token_episodes.h5"
    assert read_token_episodes(data / tokens).equals(read_token_episodes(whole / tokens))
    assert not [path for path in data.rglob(".*") if ".partial-" in path.name]
