"""The files of all checkpoints below a folder, with the digests that stand beside them."""

from collections.abc import Iterator
from pathlib import Path

from vidrep_pipelines.common.file_checks import PromisedFile, folders_below
from vidrep_pipelines.training.checkpoint import (
    OPTIMIZER_FILE,
    STATE_FILE,
    CheckpointState,
    checkpoint_path,
    list_checkpoints,
)
from vidrep_pipelines.training.run_record import BEST, CHECKPOINTS, LOG, RECORD

_UNRECORDED = "a readable state"
"""Stands in place of the checksum of ``state.json``, which holds those of the others and has none itself."""


def run_folders(root: Path) -> list[Path]:
    """Folders of training runs below ``root``, former ones among them, sorted."""
    return sorted(
        folder
        for folder, names in folders_below(root)
        if CHECKPOINTS in names and names & {RECORD, LOG}  # nobody else's folder of that name
    )


def promised_checkpoints(run: Path) -> Iterator[PromisedFile]:
    """The files of all checkpoints of one run, and of the weights that measured best.

    Those written before digests were kept are left out. So is the optimizer's state of a finished run: nobody
    reads it any more, and its weights are worth keeping without it.
    """
    checkpoints = list_checkpoints(run / CHECKPOINTS)
    remedies = {path: _remedy(path, run, alone=len(checkpoints) == 1) for path in checkpoints}
    best = [path for folder in sorted((run / BEST).glob("*")) for path in list_checkpoints(folder)]
    remedies |= {path: f"remove {path}; a later measurement of the same run may keep others" for path in best}
    for path, remedy in remedies.items():
        state = _state(path)
        if state is None:
            yield PromisedFile(path / STATE_FILE, _UNRECORDED, remedy)
            continue
        for name, digest in sorted(state.digests.items()):
            if not (state.finished and name == OPTIMIZER_FILE):
                yield PromisedFile(path / name, digest, remedy)


def checkpoint_of(file: Path) -> Path | None:
    """The checkpoint that a file belongs to, which is worth nothing without it; none for other files."""
    path = file.parent
    ours = path.parent.name == CHECKPOINTS or path.parent.parent.name == BEST
    return path if ours and path in list_checkpoints(path.parent) else None


def _state(path: Path) -> CheckpointState | None:
    """What ``state.json`` holds; none if it is damaged. Sizes of other files are not looked at."""
    try:
        state = CheckpointState.model_validate_json((path / STATE_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return state if path == checkpoint_path(path.parent, state.step) else None


def _remedy(path: Path, run: Path, *, alone: bool) -> str:
    after = (
        "it trains from the start, as there is no other checkpoint"
        if alone
        else "it goes on from the newest checkpoint that is whole, or from the start if none is"
    )
    return f"remove {path} and run the pipeline that trains in {run} with the parameters of that run; {after}"
