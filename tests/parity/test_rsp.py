"""RSP computes what the published implementation computed: every recorded case, every recorded value."""

import pytest

from tests.parity.discovery import Case, Check, find_cases, name_of, pair_with_checks, parity_folder
from tests.parity.precision import Precision, computing_in, in_their_precisions
from tests.parity.rsp_data_checks import CROP_CHECKS, RATE_CHECKS
from tests.parity.rsp_pretrain_checks import CHECKS as PRETRAIN_CHECKS

CHECKS: dict[str, tuple[Check, ...]] = {"pretrain": PRETRAIN_CHECKS, "crops": CROP_CHECKS, "lr": RATE_CHECKS}


def unknown_kind(case: Case) -> None:
    pytest.fail(f"{case.folder} is of an unknown kind; known are {', '.join(CHECKS)}")


CASES = find_cases(parity_folder("rsp"))


@pytest.mark.skipif(not CASES, reason="no recorded cases; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize(
    ("case", "check", "precision"),
    in_their_precisions(pair_with_checks(CASES, CHECKS, unknown_kind), PRETRAIN_CHECKS),
    ids=name_of,
)
def test_case(case: Case, check: Check, precision: Precision) -> None:
    with computing_in(precision):
        check(case)
