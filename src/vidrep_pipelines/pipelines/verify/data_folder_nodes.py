"""Nodes that compare files with what they were like when they were written."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from vidrep_pipelines.common.atomic import remove_directory
from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.file_checks import PromisedFile, check_files
from vidrep_pipelines.common.progress import Progress


class VerifyConfig(FrozenConfig):
    """What is compared, and what happens to damaged files (``params:verify``)."""

    root: UserPath
    """Everything below it that a stage made item by item (clips, frames, codes, embeddings, stores), the
    checkpoints of trainings, former runs among them, and published weights."""

    remove_damaged: bool = False
    """Removes damaged files, so that the pipelines which made them make them again, and damaged checkpoints,
    so that training goes on from the one before. False: reports them only, and the run ends in an error."""

    threads: int | None = Field(default=None, ge=1)
    """Files that are read at the same time; none means one per processor."""


_COLUMNS = ["file", "expected", "found", "remedy"]
_SHOWN = 10
_log = logging.getLogger(__name__)


def check_products(verify: VerifyConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The damaged and missing files, and how many files were read in which folder."""
    from vidrep_pipelines.fanout.engine import usable_processors

    rows, counts = list[tuple[str, ...]](), dict[str, int]()
    threads = verify.threads or usable_processors()
    for folder, files in _promises(verify.root):
        promised = list(files)
        counts[str(folder)] = len(promised)
        with Progress(len(promised), f"verify {folder.name}", unit="file") as progress:
            for finding in check_files(promised, threads):
                progress.advance()
                if not finding.whole:
                    file = finding.promised
                    rows.append((str(file.path), file.checksum, finding.found, file.remedy))
    table = pd.DataFrame(rows, columns=_COLUMNS, dtype="string")
    report = {"files": sum(counts.values()), "damaged": len(table), "folders": counts}
    _log.info("verify: %d files read, %d are not as they were written", report["files"], len(table))
    return table, report


def settle_damage(damaged: pd.DataFrame, verify: VerifyConfig) -> None:
    """Removes the damaged files if that is wanted; of a training's checkpoint the whole folder.

    Raises:
        InputError: There are damaged files, and they stay.
    """
    if damaged.empty:
        return
    shown = "\n".join(f"  {row.file}: {row.found}" for row in damaged.head(_SHOWN).itertuples())
    if not verify.remove_damaged:
        raise InputError(
            f"{len(damaged)} files below {verify.root} are not as they were written:\n{shown}\nRemedy: "
            "`kedro run --pipelines verify --params verify.remove_damaged=true` removes them; the pipelines "
            "that made them make them again, and nothing else."
        )
    removed = _remove(Path(file) for file in damaged["file"])
    _log.warning("verify: removed %d damaged files or checkpoints:\n%s", removed, shown)


def _promises(root: Path) -> Iterator[tuple[Path, Iterator[PromisedFile]]]:
    """Each folder that says what its files were like when they were written, and these files."""
    from vidrep_pipelines.datasets.checkpoint import promised_weights, published_folders
    from vidrep_pipelines.fanout.completeness import job_folders, promised_products
    from vidrep_pipelines.training.promised_checkpoints import promised_checkpoints, run_folders

    yield from ((folder, promised_products(folder)) for folder in job_folders(root))
    yield from ((run, promised_checkpoints(run)) for run in run_folders(root))
    yield from ((folder, promised_weights(folder)) for folder in published_folders(root))


def _remove(files: Iterable[Path]) -> int:
    """Removes what is there of the files, and whole checkpoints, so that none is left with a part missing."""
    from vidrep_pipelines.training.promised_checkpoints import checkpoint_of

    targets = {checkpoint_of(file) or file for file in files}
    there = [target for target in sorted(targets) if target.exists()]
    for target in there:
        if target.is_dir():
            remove_directory(target)
        else:
            target.unlink()
    return len(there)
