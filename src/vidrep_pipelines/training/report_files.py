"""The pictures that a run's task made: they lie in the report folder, and leave and return with the run."""

import filecmp
import json
import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.training.former_runs import link_or_copy
from vidrep_pipelines.training.run_record import PICTURES, REPORTS

_log = logging.getLogger(__name__)


class ReportFiles:
    """The pictures of the run in a folder, noted in its ``reports.json`` by their paths in the report folder.

    Args:
        run: Folder of the run.
        report_directory: Where its pictures lie while it is the current run.
    """

    def __init__(self, run: Path, report_directory: Path) -> None:
        self._run, self._shown, self._kept = run, report_directory, run / PICTURES
        self._list = run / REPORTS

    def paths(self) -> list[Path]:
        """The noted files."""
        return [self._shown / name for name in self._names()]

    def add(self, files: Sequence[Path]) -> None:
        """Notes files that the task made in the report folder."""
        new = [PurePosixPath(file.relative_to(self._shown).as_posix()) for file in files]
        names = list(dict.fromkeys([*self._names(), *new]))
        with atomic_file(self._list) as temporary:
            temporary.write_text(json.dumps([name.as_posix() for name in names], indent=1))

    @property
    def waiting(self) -> bool:
        """Whether pictures are still to be put back, because a kill came in between."""
        return self._kept.is_dir()

    def keep(self) -> None:
        """Puts the pictures into the run's folder, too, before it becomes a former run."""
        for name in self._names():
            if (self._shown / name).is_file():
                link_or_copy(self._shown / name, self._kept / name)

    def put_back(self) -> None:
        """Moves the pictures out of the run's folder, which has become the current one."""
        for file in [path for path in self._kept.rglob("*") if path.is_file()]:
            _move(file, self._shown / self._name_of_kept(file))
        for folder in sorted(self._kept.rglob("*"), reverse=True):
            folder.rmdir()
        if self._kept.is_dir():
            self._kept.rmdir()

    def take_away(self, others: "ReportFiles") -> None:
        """Removes from the report folder what this former run keeps and the current one does not have."""
        needed = set(others.paths())
        for file in [path for path in self._kept.rglob("*") if path.is_file()]:
            shown = self._shown / self._name_of_kept(file)
            if shown not in needed and shown.is_file() and filecmp.cmp(shown, file, shallow=False):
                shown.unlink()

    def _name_of_kept(self, file: Path) -> PurePosixPath:
        """A kept picture's path in the report folder; earlier versions kept all pictures side by side."""
        name = PurePosixPath(file.relative_to(self._kept).as_posix())
        by_last_part = {noted.name: noted for noted in self._names()}
        return name if len(name.parts) > 1 else by_last_part.get(name.name, name)

    def _names(self) -> list[PurePosixPath]:
        if not self._list.is_file():
            return []
        try:
            noted = json.loads(self._list.read_bytes())
        except ValueError:
            noted = None
        if not isinstance(noted, list) or not all(isinstance(name, str) for name in noted):
            _log.warning(
                "%s is damaged and ignored: the run's earlier pictures stay where they are.", self._list
            )
            return []
        names = [self._inside(name) for name in noted]
        if None in names:
            _log.warning("%s names files outside %s, which are left alone.", self._list, self._shown)
        return [name for name in names if name is not None]

    def _inside(self, noted: str) -> PurePosixPath | None:
        """The path in the report folder; earlier versions noted absolute ones, which may have moved."""
        name = PurePosixPath(noted)
        if name.is_absolute():
            parts = name.parts
            if self._shown.name not in parts:
                return None
            last = len(parts) - 1 - parts[::-1].index(self._shown.name)
            name = PurePosixPath(*parts[last + 1 :])
        whole = (self._shown / name).resolve()
        inside = bool(name.parts) and whole.is_relative_to(self._shown.resolve())
        return name if inside and ".." not in name.parts else None


def _move(source: Path, target: Path) -> None:
    """Renames a file, or copies it to another file system, in place of what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError:
        link_or_copy(source, target)
    source.unlink(missing_ok=True)  # renaming one name of a file to another one of its names leaves both
