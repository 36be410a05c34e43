"""VQ-VAE computes what the published implementation computed: every recorded case, every recorded value."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parity.discovery import Case, find_cases, parity_folder
from tests.parity.precision import Precision, computing_in, in_both_precisions
from tests.parity.test_vqvae_data import EXPECTED, METRICS, RESIZES, SPLITS, TABLES
from tests.parity.vqvae_checks.lpips_layout import check_heads
from tests.parity.vqvae_checks.model import CHECKS

CASES = find_cases(parity_folder("vqvae"))
MODELS = [case for case in CASES if (case.folder / "weights.safetensors").is_file()]
LAYOUTS = [case for case in CASES if (case.folder / "vgg.pth").is_file()]


def name_of(value: object) -> str:
    if isinstance(value, Case):
        return value.folder.name
    return getattr(value, "__name__", str(value)).removeprefix("check_")


DATA = {path.parent for path in (*RESIZES, *SPLITS, *METRICS, *EXPECTED, *TABLES)}


@pytest.mark.skipif(not CASES, reason="no recorded cases; set VIDREP_PARITY_DIR")
def test_every_recorded_folder_is_compared() -> None:
    assert {case.folder for case in CASES} == {case.folder for case in (*MODELS, *LAYOUTS)} | DATA


@pytest.mark.skipif(not MODELS, reason="no recorded cases; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@pytest.mark.parametrize("case", MODELS, ids=name_of)
@in_both_precisions
def test_case(case: Case, check: Callable[[Path], None], precision: Precision) -> None:
    with computing_in(precision):
        check(case.folder)


@pytest.mark.skipif(not LAYOUTS, reason="no recorded layout of LPIPS heads")
@pytest.mark.parametrize("case", LAYOUTS, ids=name_of)
def test_layout_of_perceptual_heads(case: Case, tmp_path: Path) -> None:
    check_heads(case.folder, tmp_path)
