"""The official list of training videos: a pickled list of (class index, relative path)."""

from collections.abc import Iterable

import pandas as pd
from kedro.io import DatasetError
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.data.clips.class_list import read_label_list, write_label_list
from vidrep_pipelines.datasets.local import LocalDataset, table_preview


class LabelList(LocalDataset[Iterable[tuple[int, str]], list[tuple[int, str]]]):
    """A label list in the layout of ``label_full_1.0.pickle``; reading it never executes code from it."""

    def save(self, data: Iterable[tuple[int, str]]) -> None:
        """Writes (class index, relative path) pairs."""
        write_label_list(data, self._path)

    def load(self) -> list[tuple[int, str]]:
        """Reads (class index, relative path) pairs."""
        return [(clip.class_id, clip.path) for clip in read_label_list(self._require())]

    def preview(self, rows: int = 20) -> TablePreview:
        """The first pairs."""
        try:
            pairs = self.load()[:rows]
        except DatasetError:
            return TablePreview({})
        return table_preview(pd.DataFrame(pairs, columns=["class_id", "path"]))
