"""Inputs that failed once, each through its pipelines; made by scripts below ``VIDREP_CASES_DIR``."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.cases import labels, long_videos, stores, videos
from tests.cases.inputs import SCRIPT, cases_folder

Check = Callable[[Path, Path], None]
"""Makes the input in the first folder and runs pipelines in the second."""

CHECKS: Mapping[str, Check] = {
    "avi_without_pts": videos.avi_without_pts,
    "checkpoints": stores.checkpoints,
    "cover_first": videos.cover_first,
    "davis_variants": labels.davis_variants,
    "finegym_v11": long_videos.finegym_v11,
    "hidden_files": long_videos.hidden_files,
    "jhmdb_mat": labels.jhmdb_mat,
    "kinetics_archives": videos.kinetics_archives,
    "kinetics_csv": videos.kinetics_csv,
    "nfd_class": videos.nfd_class,
    "no_locks": stores.no_locks,
    "pixel_formats": videos.pixel_formats,
    "replay": stores.replay,
    "robonet_pointer": stores.robonet_pointer,
    "size_changes": videos.size_changes,
    "tfrecords": long_videos.tfrecords,
    "unpadded": long_videos.unpadded,
}
"""What is to happen in each case: the docstring of its function says it."""

_QUICK = {
    "avi_without_pts",
    "checkpoints",
    "cover_first",
    "kinetics_archives",
    "nfd_class",
    "pixel_formats",
    "robonet_pointer",
    "size_changes",
}
pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not cases_folder().is_dir(), reason="no cases; set VIDREP_CASES_DIR"),
]


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=() if name in _QUICK else pytest.mark.slow) for name in CHECKS]
)
def test_case(case: str, tmp_path: Path) -> None:
    if not (cases_folder() / case).is_dir():
        pytest.skip(f"{cases_folder()} has no case {case}")
    CHECKS[case](tmp_path / "input", tmp_path / "work")


def test_every_case_is_checked() -> None:
    found = {path.parent.name for path in cases_folder().glob(f"*/{SCRIPT}")}
    assert found <= set(CHECKS), "a case without a check is nothing but a folder"
