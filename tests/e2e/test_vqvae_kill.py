"""``kill -9`` while VQ-VAE trains and while codes are extracted: the same command finishes the same."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.helpers.killed_run import losses, whole_and_killed
from tests.helpers.project import merged
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


def codes(data: Path) -> dict[str, np.ndarray]:
    folder = data / "07_model_output/vqvae/codes"
    found = {}
    for path in sorted(folder.rglob("*.h5")):
        with h5py.File(path) as file:
            found[path.relative_to(folder).as_posix()] = file["codes"][:]
    return found


@pytest.mark.slow
def test_killed_twice(tmp_path: Path) -> None:
    whole, data = whole_and_killed(PIPELINE, PARAMETERS, tmp_path, "vqvae", "07_model_output/vqvae/codes")
    assert "from update 3" in (data / "log.txt").read_text()
    assert losses(data, "vqvae") == losses(whole, "vqvae")
    expected = codes(whole)
    assert len(expected) == 3 and codes(data).keys() == expected.keys()
    for name, values in codes(data).items():
        np.testing.assert_array_equal(values, expected[name])
    assert not [path for path in data.rglob(".*") if ".partial-" in path.name]
