"""Nodes that look for files whose content changed after they were written."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.file_checks import MISSING, check_files
from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.pipelines.verify.config import VerifyConfig

_COLUMNS = ["file", "expected", "found", "remedy"]
_SHOWN = 10
_log = logging.getLogger(__name__)


def check_products(verify: VerifyConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The damaged and missing files, and how many files were read in which folder."""
    from vidrep_pipelines.fanout.engine import usable_processors
    from vidrep_pipelines.fanout.promised_files import job_folders, promised_files

    rows, counts = list[tuple[str, ...]](), dict[str, int]()
    threads = verify.threads or usable_processors()
    for folder in job_folders(verify.root):
        promised = list(promised_files(folder))
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
    """Removes the damaged files if that is wanted.

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
    there = damaged[damaged["found"] != MISSING]
    for file in there["file"]:
        Path(file).unlink(missing_ok=True)
    _log.warning("verify: removed %d damaged files:\n%s", len(there), shown)
