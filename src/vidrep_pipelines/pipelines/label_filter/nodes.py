"""Nodes of the label filter."""

from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.config import LabelFilterConfig
from vidrep_pipelines.fanout.parts import Parts


def filter_clips(
    index: pd.DataFrame, config: LabelFilterConfig
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Splits the resized clips into kept and dropped, with counts."""
    from vidrep_pipelines.data.filtering import filter_clips as apply_rules
    from vidrep_pipelines.data.labels import read_label_list

    label_list = None if config.label_list is None else read_label_list(config.label_list)
    result = apply_rules(index, config, label_list)
    return result.clips, result.dropped, result.report


def list_labels(clips: pd.DataFrame, videos: Parts) -> list[tuple[int, str]]:
    """The official label list: (class id, path below the data root) per kept clip."""
    paths = f"{videos.folder.name}/" + clips["path"]
    return list(zip(clips["class_id"].tolist(), paths.tolist(), strict=True))


def draw_report(report: dict[str, Any]) -> Image:
    """Bar chart of kept and dropped clips."""
    from vidrep_pipelines.reporting.filter_report import filter_report_picture

    return filter_report_picture(report)


def draw_contact_sheet(clips: pd.DataFrame, videos: Parts) -> Image:
    """A few frames of a few clips of every class."""
    from vidrep_pipelines.data.video.decode import read_frames
    from vidrep_pipelines.reporting.contact_sheet import contact_sheet

    return contact_sheet(clips, videos.folder, read_frames)
