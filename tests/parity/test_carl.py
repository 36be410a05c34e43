"""CARL computes what the published implementation computed: every recorded case, every recorded value."""

import pytest

from tests.parity.carl_checks.augment import AUGMENTATION_CHECKS
from tests.parity.carl_checks.evaluation import ALIGNMENT_CHECKS, EVALUATION_CHECKS
from tests.parity.carl_checks.finegym_labels import FINEGYM_LABEL_CHECKS
from tests.parity.carl_checks.losses import LOSS_CHECKS
from tests.parity.carl_checks.model import CONVOLUTIONAL_CHECKS, TRANSFORMER_CHECKS, check_whole_video
from tests.parity.carl_checks.sampling import SAMPLING_CHECKS
from tests.parity.carl_checks.schedule import SCHEDULE_CHECKS
from tests.parity.carl_checks.tfrecord import TFRECORD_CHECKS
from tests.parity.discovery import Case, Check, find_cases, name_of, pair_with_checks, parity_folder
from tests.parity.precision import Precision, computing_in, in_their_precisions

CHECKS: dict[str, tuple[Check, ...]] = {
    "scl_transformer": TRANSFORMER_CHECKS,
    "tcc_conv": CONVOLUTIONAL_CHECKS,
    "tcn_conv": CONVOLUTIONAL_CHECKS,
    "losses": LOSS_CHECKS,
    "sampling": SAMPLING_CHECKS,
    "augment": AUGMENTATION_CHECKS,
    "schedule": SCHEDULE_CHECKS,
    "alignment": ALIGNMENT_CHECKS,
    "eval": EVALUATION_CHECKS,
    "tfrecord": TFRECORD_CHECKS,
    "finegym_labels": FINEGYM_LABEL_CHECKS,
}
# Whole videos are normalized on the way, in single precision; what computes them is checked in both.
NETWORKS = {*TRANSFORMER_CHECKS, *CONVOLUTIONAL_CHECKS, *LOSS_CHECKS} - {check_whole_video}


def unknown_kind(case: Case) -> None:
    pytest.fail(f"{case.folder} is of an unknown kind; known are {', '.join(CHECKS)}")


CASES = find_cases(parity_folder("carl"))


@pytest.mark.skipif(not CASES, reason="no recorded cases; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize(
    ("case", "check", "precision"),
    in_their_precisions(pair_with_checks(CASES, CHECKS, unknown_kind), NETWORKS),
    ids=name_of,
)
def test_case(case: Case, check: Check, precision: Precision) -> None:
    with computing_in(precision):
        check(case)
