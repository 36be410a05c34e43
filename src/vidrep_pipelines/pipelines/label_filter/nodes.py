"""Nodes of the label filter."""

from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.config import LabelFilterConfig
from vidrep_pipelines.fanout.runner import Parts


def filter_clips(
    index: pd.DataFrame, config: LabelFilterConfig
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Splits the resized clips into kept and dropped, with counts."""
    from vidrep_pipelines.data.filtering import filter_clips as apply_rules
    from vidrep_pipelines.data.labels import clip_ids_of, read_label_list

    named = None if config.label_list is None else clip_ids_of(read_label_list(config.label_list))
    result = apply_rules(index, config, named)
    return result.clips, result.dropped, result.report


def list_labels(clips: pd.DataFrame) -> list[tuple[int, str]]:
    """The official label list: (class id, path) per kept clip."""
    from vidrep_pipelines.data.labels import label_rows

    return label_rows(clips)


def draw_report(report: dict[str, Any]) -> Image:
    """Bar chart of kept and dropped clips."""
    from vidrep_pipelines.reporting.contact_sheet import filter_report_picture

    return filter_report_picture(report)


def draw_contact_sheet(clips: pd.DataFrame, videos: Parts) -> Image:
    """A few frames of a few clips of every class."""
    from vidrep_pipelines.reporting.contact_sheet import contact_sheet

    return contact_sheet(clips, videos.folder)
