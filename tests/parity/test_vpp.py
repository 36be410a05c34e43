"""Video Prediction Policy computes what the published implementation computed: every recorded value.

A case is a folder of records, each a file with the values of one subject. What a folder does not hold is not
asked of it; a folder or a record that nobody knows is an error.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

import pytest

from tests.parity.discovery import find_cases, parity_folder
from tests.parity.precision import Precision, computing_in, in_both_precisions
from tests.parity.vpp_checks import (
    calvin_items,
    calvin_sequences,
    clips,
    features,
    learning_rate,
    noise,
    policy_actions,
    policy_sample,
    sampling,
    vae,
)
from tests.parity.vpp_checks.policy_loss import POLICY_LOSS_CHECKS
from tests.parity.vpp_checks.stage1_loss import STAGE1_LOSS_CHECKS

RecordCheck = Callable[[Path], None]
"""Compares all that a record in a folder holds."""

NETWORK_CHECKS: dict[str, tuple[RecordCheck, ...]] = {
    "features.npz": (features.check,),
    "policy_loss.npz": POLICY_LOSS_CHECKS,
    "policy_sample.npz": (policy_sample.check,),
    "sampling.npz": (sampling.check,),
    "stage1_loss.npz": STAGE1_LOSS_CHECKS,
    "vae.npz": (vae.check,),
}
"""Records of what a network computes, by their file's name: in both precisions."""

DATA_CHECKS: dict[str, tuple[RecordCheck, ...]] = {
    "calvin_dataset/calvin_items.npz": (calvin_items.check,),
    "dataset/actions.npz": (policy_actions.check_codings, policy_actions.check_percentiles),
    "dataset/prediction_frames.json": (clips.check_prediction_frames,),
    "dataset/stage1_clips.json": (clips.check_clips,),
    "dataset/stage1_latents.npz": (clips.check_latents,),
    "lr/lr.npz": (learning_rate.check,),
    "schedules/schedules.npz": (noise.check_schedules, noise.check_density),
}
"""Records of samples and schedules, by the folder's and the file's name: as they are."""

SEQUENCE_CHECKS: dict[str, RecordCheck] = {
    "initial_states_*.npz": calvin_sequences.check_initial_scenes,
    "sequences_*.json": calvin_sequences.check_sequences,
}
"""Records of folders of sequences, by patterns, as their names tell how many there are; a check gets the
record itself."""

KINDS = ("case", "dataset", "calvin_dataset", "lr", "schedules", "sequences")
"""Kinds of folders."""

AIDS = {"config.json", "policy.safetensors", "lr_configs.json", "xhand_norm_config.json"}
"""What belongs to a record in the same folder."""


def kind_of(folder: Path) -> str | None:
    """The kind of a folder called ``<kind>`` or ``<kind>_<anything>``: the longest that fits."""
    fitting = [kind for kind in KINDS if f"{folder.name}_".startswith(f"{kind}_")]
    return max(fitting, key=len, default=None)


def checks_of(folder: Path) -> Iterator[tuple[str, Path, RecordCheck, bool]]:
    """For every check: what to call it, the folder, the check, and whether it is of a network."""
    kind = kind_of(folder)
    if kind is None:
        yield f"{folder.name}-unknown", folder, _unknown_kind, False
        return
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.name not in AIDS):
        networks = NETWORK_CHECKS.get(path.name, ()) if kind == "case" else ()
        others = DATA_CHECKS.get(f"{kind}/{path.name}", ())
        if kind == "sequences":
            others = tuple(
                _of_record(check, path) for name, check in SEQUENCE_CHECKS.items() if path.match(name)
            )
        if not networks and not others:
            others = (_unknown_record(path),)
        for check in (*networks, *others):
            label = f"{folder.name}-{path.stem}-{check.__name__.removeprefix('check_')}"
            yield label, folder, check, check in networks


def _of_record(check: RecordCheck, path: Path) -> RecordCheck:
    """A check of a record as one of its folder."""

    @wraps(check)
    def checked(folder: Path) -> None:
        check(folder / path.name)

    return checked


def is_slow(label: str, folder: Path) -> bool:
    """Whether a check takes more than about twenty seconds."""
    return any(
        calvin_sequences.is_long(path) for path in folder.glob("sequences_*.json") if path.stem in label
    )


def _unknown_kind(folder: Path) -> None:
    pytest.fail(f"{folder} is of an unknown kind; known are {', '.join(KINDS)}")


def _unknown_record(path: Path) -> RecordCheck:
    def unknown(folder: Path) -> None:
        pytest.fail(f"{path} is an unknown record of {folder.name}: add its check")

    return unknown


FOLDERS = [case.folder for case in find_cases(parity_folder("vpp"))]
needs_records = pytest.mark.skipif(not FOLDERS, reason="no recorded cases; set VIDREP_PARITY_DIR")
FOUND = [found for folder in FOLDERS for found in checks_of(folder)]


@needs_records
@in_both_precisions
@pytest.mark.parametrize(
    ("folder", "check"),
    [pytest.param(folder, check, id=label) for label, folder, check, network in FOUND if network],
)
def test_networks(folder: Path, check: RecordCheck, precision: Precision) -> None:
    with computing_in(precision):
        check(folder)


@needs_records
@pytest.mark.parametrize(
    ("folder", "check"),
    [
        pytest.param(folder, check, id=label, marks=[pytest.mark.slow] if is_slow(label, folder) else [])
        for label, folder, check, network in FOUND
        if not network
    ],
)
def test_data(folder: Path, check: RecordCheck) -> None:
    check(folder)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("nonsense/x.npz", "unknown kind"),
        ("case_z/nonsense.npz", "unknown record"),
        ("sequences/nonsense.json", "unknown record"),
    ],
)
def test_only_known_records_pass(tmp_path: Path, place: str, says: str) -> None:
    path = tmp_path / place
    path.parent.mkdir()
    path.touch()
    [(_, folder, check, network)] = checks_of(path.parent)
    assert not network
    with pytest.raises(pytest.fail.Exception, match=says):
        check(folder)
