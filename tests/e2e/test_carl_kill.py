"""``kill -9`` while CARL trains and while videos are embedded: the same command finishes the same."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.carl import TINY_CARL
from tests.helpers.killed_run import losses, whole_and_killed
from tests.helpers.project import load, merged

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


@pytest.mark.slow
def test_killed_twice(tmp_path: Path) -> None:
    whole, data = whole_and_killed(PIPELINE, PARAMETERS, tmp_path, "carl", "07_model_output/carl/embeddings")
    assert "from update 3" in (data / "log.txt").read_text()
    assert losses(data, "carl") == losses(whole, "carl")
    for kind in ("carl.embeddings", "carl.untrained_embeddings"):
        expected, found = load(kind, whole), load(kind, data)
        assert len(expected) == 4 and found.ids == expected.ids
        for video in expected.ids:
            np.testing.assert_array_equal(found.of(video), expected.of(video))
    assert not [path for path in data.rglob(".*") if ".partial-" in path.name]
