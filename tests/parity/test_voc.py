"""VOC computes what the published implementation computed: every recorded case, every recorded value."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from .discovery import find_cases, parity_folder
from .voc_checks import chains

PARTS = ("preprocess", "vae", "vqkd", "musik", "gpt", "buffer")
FOLDERS = [case.folder for case in find_cases(parity_folder("voc"))]
RECORDED = [(folder, part) for folder in FOLDERS for part in PARTS if (folder / f"{part}.npz").is_file()]
CHAINS = [file for folder in FOLDERS for file in sorted(folder.glob("chain_*.npz"))]


def name_of(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


@pytest.mark.skipif(not RECORDED, reason="no recorded cases; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize(("folder", "part"), RECORDED, ids=name_of)
def test_case(folder: Path, part: str) -> None:
    check: Callable[[Path], None] = import_module(f".voc_checks.{part}", __package__).check
    check(folder)


@pytest.mark.skipif(not CHAINS, reason="no recorded chains; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize("check", [chains.check, chains.check_scoring], ids=["truth", "scoring"])
@pytest.mark.parametrize("file", CHAINS, ids=name_of)
def test_chain(file: Path, check: Callable[[Path], None]) -> None:
    check(file)


@pytest.mark.slow
@pytest.mark.skipif(not CHAINS, reason="no recorded chains; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize("file", CHAINS, ids=name_of)
def test_states_of_the_episode_teach_values_better_than_the_released_target(
    file: Path, record_property: Callable[[str, object], None]
) -> None:
    scores = chains.compare_targets(file)
    for name, found in scores.items():
        record_property(f"{file.stem}/{name}", str(found))
    assert scores["released"].value_error > 2 * scores["n_step"].value_error
    assert scores["n_step"].value_error < scores["n_step"].mean_value_error
