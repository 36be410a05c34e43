"""Tables that describe videos: the index of raw files and the index of resized clips."""

import pandas as pd

INDEX_COLUMNS = {
    "id": "string",
    "class_name": "string",
    "path": "string",
    "bytes": "int64",
    "mtime_ns": "int64",
    "width": "Int32",
    "height": "Int32",
    "frames": "Int64",
    "frames_per_second": "Float64",
    "duration_seconds": "Float64",
    "codec": "string",
    "pixel_format": "string",
    "rotation": "Int32",
    "has_audio": "boolean",
    "error": "string",
}
"""Columns of the video index. Where a file could not be opened, ``error`` says why and the rest is empty."""

RESIZED_COLUMNS = {
    "id": "string",
    "class_name": "string",
    "source_path": "string",
    "source_bytes": "int64",
    "status": "string",
    "error": "string",
    "reason": "string",
    "digest": "string",
    "bytes": "Int64",
    "source_width": "Int32",
    "source_height": "Int32",
    "source_frames": "Int64",
    "source_codec": "string",
    "rotation": "Int32",
    "has_audio": "boolean",
    "width": "Int32",
    "height": "Int32",
    "frames": "Int64",
    "frames_per_second": "Float64",
    "duration_seconds": "Float64",
    "keyframe_interval": "Int32",
    "verdict": "string",
    "verdict_detail": "string",
}
"""Columns of the resized index. Where a video could not be resized, ``reason`` is ``error`` without the name
of the file, and everything from ``source_width`` on is empty."""


def build_video_index(listing: pd.DataFrame, probes: pd.DataFrame) -> pd.DataFrame:
    """Joins the files found on disk with what opening each of them told.

    Args:
        listing: One row per file: id, class_name, path, bytes, mtime_ns.
        probes: One row per probed id: the fields of ``VideoFacts`` and ``error``.

    Returns:
        One row per file with the columns and types of ``INDEX_COLUMNS``, in the order of the listing.
    """
    facts = probes.drop(columns=["bytes"], errors="ignore")
    joined = listing.merge(facts, on="id", how="left")
    return joined.reindex(columns=list(INDEX_COLUMNS)).astype(INDEX_COLUMNS)


def build_resized_index(index: pd.DataFrame, resized: pd.DataFrame) -> pd.DataFrame:
    """Joins the video index with the outcome of resizing: one row per raw video, kept or not.

    Args:
        index: The video index.
        resized: The manifest of the resize job: id, status, error, digest and the facts of each clip.

    Returns:
        One row per video of the index, in its order, with the columns and types of ``RESIZED_COLUMNS``, also
        when no video could be resized and the manifest therefore has no facts. ``status`` is ``ok``,
        ``failed``, or ``missing`` for a video that the job does not know.
    """
    raw = index[["id", "class_name", "path", "bytes"]].rename(
        columns={"path": "source_path", "bytes": "source_bytes"}
    )
    joined = raw.merge(resized, on="id", how="left", validate="one_to_one")
    joined["status"] = joined["status"].fillna("missing")
    # Errors name the file; as reasons they can be counted only without it.
    errors = zip(joined["error"], joined["source_path"], strict=True)
    joined["reason"] = [
        error.removeprefix(f"{path}: ") if isinstance(error, str) else None for error, path in errors
    ]
    return joined.reindex(columns=list(RESIZED_COLUMNS)).astype(RESIZED_COLUMNS)
