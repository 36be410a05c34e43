import subprocess
import sys

import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world import photographs


def test_they_are_the_photographs_of_scikit_learn() -> None:
    from sklearn.datasets import load_sample_image

    for name in photographs.PHOTOGRAPHS:
        np.testing.assert_array_equal(
            np.asarray(photographs.photograph(name)), load_sample_image(f"{name}.jpg")
        )


def test_the_flower_is_cut_out() -> None:
    coverage = np.asarray(photographs.bloom())[..., 3]
    size = len(coverage)
    assert coverage[size // 2, size // 2] == 255
    assert coverage[0, 0] == 0
    assert 0.55 < (coverage > 128).mean() < 0.85


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "find_spec", lambda name: None)
    photographs.photograph.cache_clear()
    with pytest.raises(InputError, match="scikit-learn"):
        photographs.photograph("china")


def test_the_parameters_and_the_list_of_clips_import_nothing_heavy() -> None:
    code = (
        "import sys; import vidrep_pipelines.data.sample_world.clips as clips;"
        "print(sorted({'torch', 'av', 'h5py', 'sklearn', 'scipy', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
