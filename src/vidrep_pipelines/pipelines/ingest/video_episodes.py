"""Plain videos as episodes of a frame store."""

from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.fanout.parts import Parts


def video_requests(
    files: pd.DataFrame, headers: Parts, clips: Parts, frames: FramesConfig
) -> list[EpisodeRequest]:
    """One request per video that could be opened.

    Args:
        files: One row per file: id, class_name, path, bytes, mtime_ns, etag.
        headers: Of the job that opened them.
        clips: Rendered clips: those among the files have their states and actions beside them.
        frames: How frames are prepared.

    Raises:
        ConfigurationError: No file could be opened.
    """
    readable = files[files["id"].isin(set(headers.ids))]
    if readable.empty:
        raise ConfigurationError(
            f"None of {len(files)} videos can be opened; the table of failures in the log says why. Remedy: "
            "set ingest.root to a folder of videos."
        )
    rendered = dict(zip(clips.table["id"], clips.table["digest"], strict=True))
    return [
        EpisodeRequest(_episode(row, rendered.get(row["id"]), clips), frames)
        for row in readable.to_dict("records")
    ]


def _episode(row: dict[Any, Any], rendering: str | None, clips: Parts) -> VideoEpisode:
    """What a rendered clip was made from identifies it, wherever it lies and whenever it was written."""
    path = Path(row["path"])
    if rendering is not None and path == clips.path(row["id"], ".mp4").absolute():
        controls, stamp = clips.path(row["id"], ".h5").absolute(), rendering
    else:
        controls, stamp = None, row["etag"] or f"{row['bytes']}-{row['mtime_ns']}"
    return VideoEpisode(row["id"], path, robot=row["class_name"], controls=controls, stamp=stamp)
