"""The index of labelled videos in the catalog."""

from typing import TYPE_CHECKING

from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.local import LocalDataset, table_preview

if TYPE_CHECKING:
    from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos


class LabelledVideosDataset(LocalDataset["LabelledVideos", "LabelledVideos"]):
    """A folder with one table row per video and the label of every frame, replaced as a whole."""

    def save(self, data: "LabelledVideos") -> None:
        """Writes the folder."""
        from vidrep_pipelines.data.labelled_videos.frame_labels import write_labelled_videos

        write_labelled_videos(self._path, data)

    def load(self) -> "LabelledVideos":
        """Reads table and labels."""
        from vidrep_pipelines.data.labelled_videos.frame_labels import read_labelled_videos

        return read_labelled_videos(self._require())

    def _exists(self) -> bool:
        from vidrep_pipelines.data.labelled_videos.frame_labels import LABELS, TABLE

        return all((self._path / name).is_file() for name in (TABLE, LABELS))

    def preview(self, rows: int = 20) -> TablePreview:
        """Videos, frames and labelled frames per split and action."""
        from vidrep_pipelines.data.labelled_videos.frame_labels import read_labelled_videos

        try:
            table = read_labelled_videos(self._path).table
        except InputError:
            return TablePreview({})
        summary = table.groupby(["split", "action"]).agg(
            videos=("id", "size"), frames=("frames", "sum"), labelled_frames=("labelled_frames", "sum")
        )
        return table_preview(summary.reset_index().head(rows))
