"""``kill -9`` while VQ-VAE trains and while codes are extracted: the same command finishes the same."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.helpers.journals import finished_rows
from tests.helpers.project import kill_group, merged, start_kedro, wait_until
from tests.helpers.vqvae import TINY_VQVAE

PIPELINE = "latent_extraction_vqvae"
PARAMETERS = merged(
    TINY_VQVAE,
    {
        "fanout": {"engine": "local", "workers": 2},
        "vqvae": {
            "train": {"steps": 12, "checkpoint_every_steps": 3},
        },
    },
)


def finish(data: Path) -> None:
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert process.wait(timeout=600) == 0, (data / "log.txt").read_text()[-3000:]


def losses(data: Path) -> list[tuple[int, float]]:
    lines = (data / "06_models/vqvae/run/train_log.jsonl").read_text().splitlines()
    return [(row["step"], row["train/loss"]) for row in map(json.loads, lines)]


def codes(data: Path) -> dict[str, np.ndarray]:
    folder = data / "07_model_output/vqvae/codes"
    found = {}
    for path in sorted(folder.rglob("*.h5")):
        with h5py.File(path) as file:
            found[path.relative_to(folder).as_posix()] = file["codes"][:]
    return found


@pytest.mark.slow
def test_killed_twice(tmp_path: Path) -> None:
    whole, data = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    data.mkdir()
    finish(whole)
    log = data / "06_models/vqvae/run/train_log.jsonl"
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 5, 600)
    kill_group(process)
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert wait_until(lambda: bool(finished_rows(data / "07_model_output/vqvae/codes")), 600)
    kill_group(process)
    finish(data)
    assert "from update 3" in (data / "log.txt").read_text()
    assert losses(data) == losses(whole)
    expected = codes(whole)
    assert len(expected) == 3 and codes(data).keys() == expected.keys()
    for name, values in codes(data).items():
        np.testing.assert_array_equal(values, expected[name])
    assert not [path for path in data.rglob(".*") if ".partial-" in path.name]
