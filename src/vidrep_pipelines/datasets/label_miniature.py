"""A folder with the sample world's clips in the layout of a published data set."""

import json
import logging
from pathlib import Path

from kedro_datasets._typing import JSONPreview

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.data.label_sequences.miniature import MiniatureRequest
from vidrep_pipelines.datasets.local import LocalDataset, json_preview

_STAMP = "miniature.json"

_log = logging.getLogger(__name__)


class LabelMiniature(LocalDataset[MiniatureRequest, Path]):
    """A release that is either whole or absent, and is written again only when its clips change."""

    def save(self, data: MiniatureRequest) -> None:
        """Writes the release, unless it is there already."""
        stamp = {"release": data.release, "digest": data.digest, "clips": [clip.id for clip in data.clips]}
        if self._stamp() == stamp:
            _log.info("miniature of %s: up to date (%d clips)", data.release, len(data.clips))
            return
        from vidrep_pipelines.data.sources.sample_world.label_layouts import write_miniature

        with atomic_directory(self._path) as folder:
            write_miniature(data, folder)
            (folder / _STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")

    def load(self) -> Path:
        """The root of the release."""
        return self._require()

    def _exists(self) -> bool:
        return (self._path / _STAMP).is_file()

    def _stamp(self) -> object:
        try:
            return json.loads((self._path / _STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def preview(self) -> JSONPreview:
        """The names of the clips."""
        return json_preview(self._stamp() or {})
