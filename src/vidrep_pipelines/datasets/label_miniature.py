"""A folder with the sample world's clips in the layout of a published data set."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro_datasets._typing import JSONPreview

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.data.sample_world.miniature import MiniatureRequest
from vidrep_pipelines.datasets.local import LocalDataset, json_preview

_STAMP, _FILES = "miniature.json", "files"

_log = logging.getLogger(__name__)


class LabelMiniature(LocalDataset[MiniatureRequest, Path]):
    """A release that is either whole or absent, and is written again only when its clips change."""

    def save(self, data: MiniatureRequest) -> None:
        """Writes the release, unless it is there already."""
        stamp = {"release": data.release, "digest": data.digest, "clips": [clip.id for clip in data.clips]}
        if self._is_whole(stamp):
            _log.info("miniature of %s: up to date (%d clips)", data.release, len(data.clips))
            return
        from vidrep_pipelines.data.sample_world.label_layouts import write_miniature

        with atomic_directory(self._path) as folder:
            write_miniature(data, folder)
            written = {**stamp, _FILES: _sizes(folder)}
            (folder / _STAMP).write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")

    def load(self) -> Path:
        """The root of the release."""
        return self._require()

    def _exists(self) -> bool:
        return (self._path / _STAMP).is_file()

    def _is_whole(self, stamp: Mapping[str, Any]) -> bool:
        """Whether the release is of these clips, and no file of it is gone or of another size.

        Releases of earlier versions do not know their files.
        """
        stored = self._stamp()
        if not isinstance(stored, dict):
            return False
        files, there = stored.pop(_FILES, {}), _sizes(self._path)
        if stored != stamp or not isinstance(files, dict):
            return False
        return all(there.get(name) == size for name, size in files.items())

    def _stamp(self) -> object:
        try:
            return json.loads((self._path / _STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def preview(self) -> JSONPreview:
        """The names of the clips."""
        stamp = self._stamp()
        shown = stamp.items() if isinstance(stamp, dict) else ()
        return json_preview({name: value for name, value in shown if name != _FILES})


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file, by its path below the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(files)}
