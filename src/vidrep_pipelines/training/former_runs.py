"""The runs that a folder held before: each whole, so that going back to its parameters restores it."""

import logging
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from vidrep_pipelines.common.atomic import atomic_file, exchange, remove_directory, remove_leftovers
from vidrep_pipelines.training.run_record import (
    RECORD,
    RUN_PARTS,
    RunRecord,
    is_finished,
    read_record,
    was_trained,
)

_UNKNOWN, _MOVING = "unknown", "moving"
_OWN_NAMES = re.compile(rf"({_UNKNOWN}|{_MOVING})(-\d+)?")
_log = logging.getLogger(__name__)


class FormerRuns:
    """The folder ``previous`` beside a run's folder, with one folder per former run.

    A run is named after its digest and found by what is in it: after a kill its name may be another one's.

    Args:
        run: Folder of the current run.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self.folder = run.parent / "previous"

    def paths(self) -> list[Path]:
        """Folders of the former runs, those to keep longest first: finished ones, then by age."""
        folders = [path for path in self.folder.glob("[!.]*") if path.is_dir() and _is_ours(path)]
        return sorted(folders, key=lambda path: (is_finished(path), path.stat().st_mtime), reverse=True)

    def find(self, digest: str) -> Path | None:
        """The former run with this digest that is worth most."""
        for path in self.paths():
            record = read_record(path)
            if record is not None and record.digest == digest:
                return path
        return None

    def tidy(self) -> None:
        """Removes what a kill left behind: half-written files, and folders in which nothing was trained.

        Where names cannot be exchanged, a kill may have come when the current run had stepped aside and the
        new one was not in its place yet; it takes it now, because the planner's files are in it.
        """
        remove_leftovers(self.folder)
        for path in self.paths():
            if not was_trained(path):
                if self._run.exists():
                    remove_directory(path)
                else:
                    path.rename(self._run)

    def switch(self, here: RunRecord | None, wanted: Path | RunRecord) -> Path:
        """Makes ``wanted`` the current run and the current one a former one, in one step.

        Args:
            here: The current run; None if nobody knows which it is.
            wanted: A former run, or the record of a new one.

        Returns:
            The folder in which the run that was current is kept.
        """
        slot = self._free_name(_UNKNOWN if here is None else here.digest)
        if isinstance(wanted, Path):
            wanted.rename(slot)
        else:
            slot.mkdir(parents=True)
            write_record(slot, wanted)
        self._run.mkdir(parents=True, exist_ok=True)
        _carry_over(self._run, slot)
        exchange(self._run, slot, aside=self._free_name(_MOVING))
        os.utime(slot)
        return slot

    def drop(self, keep: int) -> None:
        """Removes all but ``keep`` former runs and says how large they were."""
        for path in self.paths()[keep:]:
            size = _size(path)
            remove_directory(path)
            _log.info("Removed the former run %s (%s), because train.keep_former_runs = %d", path, size, keep)

    def say_kept(self, path: Path) -> None:
        """Tells where a run is kept and how much disk it takes."""
        _log.info(
            "The former run is kept in %s (%s); its parameters bring it back without training.",
            *(path, _size(path)),
        )

    def _free_name(self, name: str) -> Path:
        path, number = self.folder / name, 1
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}"
        return path


def _is_ours(folder: Path) -> bool:
    return was_trained(folder) or (folder / RECORD).exists() or bool(_OWN_NAMES.fullmatch(folder.name))


def write_record(run: Path, record: RunRecord) -> None:
    """Writes ``run.json``."""
    with atomic_file(run / RECORD) as temporary:
        temporary.write_text(record.model_dump_json(indent=1))


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file a second name, or makes a copy where the file system has no hard links.

    A file that is at ``target`` already is replaced.
    """
    with atomic_file(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _carry_over(source: Path, target: Path) -> None:
    """What the planner wrote for the coming run stays where its specification names it."""
    for file in source.iterdir():
        if file.name not in RUN_PARTS and not file.name.startswith(".") and file.is_file():
            link_or_copy(file, target / file.name)


def _size(folder: Path) -> str:
    files: Sequence[Path] = [path for path in folder.rglob("*") if path.is_file()]
    return f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB"
