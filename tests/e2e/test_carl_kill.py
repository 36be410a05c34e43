"""``kill -9`` while CARL trains and while videos are embedded: the same command finishes the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.carl import TINY_CARL
from tests.helpers.journals import finished_rows
from tests.helpers.project import kill_group, load, merged, start_kedro, wait_until

PIPELINE = "latent_extraction_carl"
PARAMETERS = merged(
    TINY_CARL,
    {
        "fanout": {"engine": "local", "workers": 2},
        "carl": {"train": {"steps": 12, "checkpoint_every_steps": 3}},
    },
)
for _name in ("stage_widths", "stage_blocks"):  # lists, which the command line does not take
    del PARAMETERS["carl"]["model"][_name]


def finish(data: Path) -> None:
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert process.wait(timeout=600) == 0, (data / "log.txt").read_text()[-3000:]


def losses(data: Path) -> list[tuple[int, float]]:
    lines = (data / "06_models/carl/run/train_log.jsonl").read_text().splitlines()
    return [(row["step"], row["train/loss"]) for row in map(json.loads, lines)]


@pytest.mark.slow
def test_killed_twice(tmp_path: Path) -> None:
    whole, data = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    data.mkdir()
    finish(whole)
    log = data / "06_models/carl/run/train_log.jsonl"
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 5, 600)
    kill_group(process)
    process = start_kedro(PIPELINE, data, PARAMETERS, data / "log.txt")
    assert wait_until(lambda: bool(finished_rows(data / "07_model_output/carl/embeddings")), 600)
    kill_group(process)
    finish(data)
    assert "from update 3" in (data / "log.txt").read_text()
    assert losses(data) == losses(whole)
    for kind in ("carl.embeddings", "carl.untrained_embeddings"):
        expected, found = load(kind, whole), load(kind, data)
        assert len(expected) == 4 and found.ids == expected.ids
        for video in expected.ids:
            np.testing.assert_array_equal(found.of(video), expected.of(video))
    assert not [path for path in data.rglob(".*") if ".partial-" in path.name]
