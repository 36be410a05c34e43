"""Predicted label maps as folders of index PNGs, as the official toolkits of DAVIS and VIP read them."""

import json
import logging
import shutil
from pathlib import Path

from kedro_datasets._typing import JSONPreview

from vidrep_pipelines.common.atomic import atomic_directory, atomic_file
from vidrep_pipelines.data.label_sequences.result import PredictedSequence, ResultExport
from vidrep_pipelines.datasets.local import LocalDataset, json_preview

RESULTS = "results"
_STAMP = "exported.json"
_log = logging.getLogger(__name__)


class LabelResults(LocalDataset[ResultExport, Path]):
    """``<encoder>/results/<sequence>/<frame>.png``, and tables beside ``results``.

    A sequence whose prediction is the same as before is not written again. Tables stay outside of
    ``results``: DAVIS's toolkit takes tables that it finds there for its own, and evaluates nothing.
    """

    def save(self, data: ResultExport) -> None:
        """Writes what is new and removes what is no longer part of it."""
        wanted = {f"{one.encoder}/{RESULTS}/{one.name}": one for one in data.sequences}
        stamps = {name: digest for name, digest in self._stamps().items() if (self._path / name).is_dir()}
        for name in [name for name in stamps if name not in wanted]:
            shutil.rmtree(self._path / name)
            del stamps[name]
        pending = [name for name, one in wanted.items() if stamps.get(name) != one.digest]
        for name in pending:
            self._write_sequence(self._path / name, wanted[name])
            stamps[name] = wanted[name].digest
            self._write_stamps(stamps)
        self._write_stamps(stamps)
        for name, table in data.tables.items():
            with atomic_file(self._path / name) as temporary:
                table.to_csv(temporary, index=False, float_format="%.3f")
        _log.info("%s: %d sequences, %d written now", self._path, len(wanted), len(pending))

    def load(self) -> Path:
        """The root."""
        return self._require()

    def _exists(self) -> bool:
        return (self._path / _STAMP).is_file()

    def preview(self) -> JSONPreview:
        """The folders."""
        return json_preview(sorted(self._stamps())) if self._exists() else JSONPreview("{}")

    def _write_sequence(self, path: Path, sequence: PredictedSequence) -> None:
        from vidrep_pipelines.data.label_sequences.images import write_labels

        with atomic_directory(path) as folder:
            for name, labels in zip(sequence.frame_names, sequence.maps(), strict=True):
                if name == sequence.frame_names[0] and sequence.first is not None:
                    shutil.copyfile(sequence.first, folder / f"{name}.png")
                else:
                    write_labels(folder / f"{name}.png", labels)

    def _stamps(self) -> dict[str, str]:
        try:
            stamps = json.loads((self._path / _STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        known = stamps.items() if isinstance(stamps, dict) else ()
        return {name: digest for name, digest in known if isinstance(digest, str)}

    def _write_stamps(self, stamps: dict[str, str]) -> None:
        with atomic_file(self._path / _STAMP) as temporary:
            temporary.write_text(json.dumps(stamps, indent=2, sort_keys=True) + "\n", encoding="utf-8")
