"""Labels for the frames that every video turned out to have."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import FrameLabels, LabelledVideos, typed_table
from vidrep_pipelines.data.sources.long_videos.video import UNLABELLED, LeftOut, LongVideo, LongVideos

LEFT_OUT_COLUMNS = ("id", "split", "reason")


@dataclass(frozen=True)
class Prepared:
    """What became of a video's frames.

    Attributes:
        frames: How many are stored; 0 after an error.
        damaged: Whether it broke off.
        problems: What was wrong; the error if it cannot be used.
    """

    frames: int
    damaged: bool
    problems: str | None


def preparations(manifest: pd.DataFrame) -> dict[str, Prepared]:
    """What the manifest of the preparation says about each video."""
    rows = manifest.to_dict("records")
    return {
        str(row["id"]): Prepared(int(row["frames"]), row["verdict"] == "damaged", _text(row["problems"]))
        if row["status"] == "ok"
        else Prepared(0, True, str(row["error"]))
        for row in rows
    }


def label_videos(videos: LongVideos, prepared: Mapping[str, Prepared]) -> tuple[LabelledVideos, pd.DataFrame]:
    """Labels every prepared video.

    Args:
        videos: What the release offers.
        prepared: What became of each, by id.

    Returns:
        The index, and a table id, split, reason of the videos that are left out.
    """
    rows, labels, left_out = [], [], list(videos.left_out)
    for video in videos.videos:
        outcome = prepared[video.id]
        try:
            values = frame_labels(video, outcome)
        except InputError as error:
            left_out.append(LeftOut(video.id, video.split, str(error)))
            continue
        rows.append(_row(video, values, outcome))
        labels.append(values)
    table = pd.DataFrame(left_out, columns=LEFT_OUT_COLUMNS, dtype="string")
    return LabelledVideos(typed_table(rows), tuple(labels)), table


def frame_labels(video: LongVideo, prepared: Prepared) -> FrameLabels:
    """(T,) labels of a prepared video, one for each of its frames.

    Raises:
        InputError: The video could not be prepared, there are more or fewer labels than frames, or a label
            is not one of the classes.
    """
    if not prepared.frames:
        raise InputError(prepared.problems or "it has no frames")
    labels = video.read_labels(prepared.frames)
    if prepared.damaged and len(labels) > prepared.frames:
        labels = labels[: prepared.frames]
    if len(labels) != prepared.frames:
        raise InputError(
            f"{video.id} has {prepared.frames} frames but {len(labels)} labels. Remedy: restore the video or "
            "the labels that belong to it."
        )
    unknown = sorted(set(labels[(labels < UNLABELLED) | (labels >= video.classes)].tolist()))
    if unknown:
        raise InputError(
            f"{video.id} has the label {unknown[0]}; known are 0..{video.classes - 1}, and {UNLABELLED} for "
            "none. Remedy: correct the labels, or the number of classes."
        )
    return labels.astype(np.int16)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _row(video: LongVideo, labels: FrameLabels, prepared: Prepared) -> dict[str, object]:
    absent = sorted(set(range(video.classes)) - set(labels.tolist())) if video.phases else []
    return {
        "id": video.id,
        "split": video.split,
        "action": video.action,
        "action_label": video.action_label,
        "classes": video.classes,
        "frames": len(labels),
        "labelled_frames": int((labels != UNLABELLED).sum()),
        "absent_phases": ",".join(map(str, absent)) or None,
        "problems": prepared.problems,
    }
