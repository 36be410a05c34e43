"""VOC computes what the published implementation computed: every recorded case, every recorded value."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median

import pytest

from tests.parity.discovery import find_cases, parity_folder
from tests.parity.precision import Precision, computing_in
from tests.parity.voc_checks import chains

PARTS = ("preprocess", "vae", "vqkd", "musik", "gpt", "buffer")
FOLDERS = [case.folder for case in find_cases(parity_folder("voc"))]
RECORDED = [(folder, part) for folder in FOLDERS for part in PARTS if (folder / f"{part}.npz").is_file()]
NETWORKS = ("vae", "vqkd", "musik", "gpt")
PRECISE: list[tuple[Path, str, Precision]] = [
    (folder, part, precision)
    for folder, part in RECORDED
    for precision in (("double", "single") if part in NETWORKS else ("single",))
]
CHAINS = [file for folder in FOLDERS for file in sorted(folder.glob("chain_*.npz"))]


def name_of(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


@pytest.mark.skipif(not RECORDED, reason="no recorded cases; set VIDREP_PARITY_DIR")
def test_every_recorded_file_is_compared() -> None:
    recorded = {file for folder in FOLDERS for file in folder.glob("*.npz")}
    assert recorded == {folder / f"{part}.npz" for folder, part in RECORDED} | set(CHAINS)


@pytest.mark.skipif(not RECORDED, reason="no recorded cases; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize(("folder", "part", "precision"), PRECISE, ids=name_of)
def test_case(folder: Path, part: str, precision: Precision) -> None:
    check: Callable[[Path], None] = import_module(f".voc_checks.{part}", __package__).check
    with computing_in(precision):
        check(folder)


@pytest.mark.skipif(not CHAINS, reason="no recorded chains; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize("check", [chains.check, chains.check_scoring], ids=["truth", "scoring"])
@pytest.mark.parametrize("file", CHAINS, ids=name_of)
def test_chain(file: Path, check: Callable[[Path], None]) -> None:
    check(file)


@pytest.mark.slow
@pytest.mark.skipif(not CHAINS, reason="no recorded chains; set VIDREP_PARITY_DIR")
def test_states_of_the_episode_teach_values_better_than_the_released_target(
    record_property: Callable[[str, object], None],
) -> None:
    """Occupancies over all chains at least twice as close, values as far as one run of each can show it.

    Where values hardly differ between states, the bias of the released target may nearly cancel in them.
    """
    value_ratios, variation_ratios = [], []
    for file in CHAINS:
        scores = chains.compare_targets(file)
        published, geometric = scores["published"], scores["geometric"]
        for name, found in scores.items():
            record_property(f"{file.stem}/{name}", str(found))
        assert geometric.value_error < geometric.mean_value_error, file
        assert geometric.value_error < published.value_error / 1.1, file
        value_ratios.append(published.value_error / geometric.value_error)
        variation_ratios.append(published.total_variation / geometric.total_variation)
    assert min(variation_ratios) > 1.5
    assert median(value_ratios) > 1.5 and median(variation_ratios) > 2
