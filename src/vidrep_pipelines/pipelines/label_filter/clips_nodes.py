"""Nodes of the label filter."""

from collections.abc import Iterable
from typing import Any

from PIL.Image import Image

from vidrep_pipelines.data.clips.config import LabelFilterConfig
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.fanout.parts import Parts

_SHEET_ROWS = 12


def filter_indexed_clips(index: Rows, config: LabelFilterConfig) -> tuple[Rows, Rows, dict[str, Any]]:
    """Splits the resized clips into kept and dropped, with counts."""
    from vidrep_pipelines.data.clips.class_list import read_label_list
    from vidrep_pipelines.data.clips.filtering import filter_clips

    label_list = None if config.label_list is None else read_label_list(config.label_list)
    result = filter_clips(index, config, label_list)
    return result.clips, result.dropped, result.report


def list_labels(clips: Rows, videos: Parts) -> Iterable[tuple[int, str]]:
    """The official label list: (class id, path below the data root) per kept clip."""
    from vidrep_pipelines.data.clips.class_list import LabelRows

    return LabelRows(clips, videos.folder.name)


def paint_filter_report(report: dict[str, Any]) -> Image:
    """Bar chart of kept and dropped clips."""
    from vidrep_pipelines.reporting.clips import filter_report_picture

    return filter_report_picture(report)


def paint_contact_sheet(clips: Rows, videos: Parts) -> Image:
    """A few frames of a few clips of every class."""
    from vidrep_pipelines.data.clips.table import ClassSamples
    from vidrep_pipelines.data.video.decode import read_frames
    from vidrep_pipelines.reporting.clips import contact_sheet

    samples = ClassSamples.of(clips, per_class=_SHEET_ROWS)
    return contact_sheet(samples.clips, videos.folder, read_frames, rows=_SHEET_ROWS, heading=samples.summary)
