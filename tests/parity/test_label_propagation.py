"""Label propagation computes what the published evaluations computed: every recorded case."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.parity.discovery import Case, find_cases, name_of, parity_folder

# What a case's config calls its kind -> the module that checks it.
MODULES = {
    "masks": "masks",
    "preprocess": "preprocess",
    "features": "features",
    "keypoints": "keypoints",
    "pck": "pck",
    "part_miou": "vip",
    "vip": "vip",
    "davis_jf": "davis_jf",
    "frame_statistics": "stats",
    "stats": "stats",
}

CASES = find_cases(parity_folder("label_propagation"))


def check_of(case: Case) -> Callable[[dict[str, Any], dict[str, Any], Path], None]:
    """The check of the case's kind, which its config names, or else its folder."""
    kind = str(case.config.get("kind", ""))
    if kind not in MODULES:
        kind = max(
            (known for known in MODULES if case.folder.name.startswith(f"{known}_")), key=len, default=kind
        )
    if kind not in MODULES:
        pytest.fail(f"{case.folder} is of an unknown kind {kind!r}; known are {', '.join(MODULES)}")
    check: Callable[[dict[str, Any], dict[str, Any], Path], None] = import_module(
        f"{__package__}.label_propagation.{MODULES[kind]}"
    ).check
    return check


@pytest.mark.skipif(not CASES, reason="no recorded cases; set VIDREP_PARITY_DIR")
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_case(case: Case) -> None:
    check_of(case)(case.config, case.arrays(), case.folder)
