"""Clips with class labels in two parts, whoever published them: what a probe is trained and measured on."""

from pathlib import Path

import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.config import ProbeClipsConfig
from vidrep_pipelines.data.files.foreign_listing import size_and_time
from vidrep_pipelines.data.files.listing import VIDEO_SUFFIXES
from vidrep_pipelines.data.sources.kinetics.videos import list_classified_videos
from vidrep_pipelines.data.sources.robot_clips.something_something import list_something_something
from vidrep_pipelines.data.tables.table import as_table

TRAIN_PART, VALIDATION_PART = "train", "validation"
LABELLED_CLIP_COLUMNS = ("id", "part", "class_name", "path", "digest")
"""Columns of a table of labelled clips. ``id``: part, class and name. ``digest``: changes with the file."""


def list_labelled_clips(config: ProbeClipsConfig, rendered: Path | None) -> pd.DataFrame:
    """The clips of both parts, sorted by id.

    Of the sample world every second clip of an activity is for validation.

    Args:
        config: Where the clips are.
        rendered: Folder of rendered clips in class folders, if they are of the sample world.

    Returns:
        Columns ``LABELLED_CLIP_COLUMNS``.

    Raises:
        InputError: A part has no clip with a class, or training clips are of fewer than two classes.
    """
    if config.something_something is not None:
        clips = _something_something(config.something_something)
    elif config.train is not None and config.validation is not None:
        parts = (
            (TRAIN_PART, config.train, config.train_annotations),
            (VALIDATION_PART, config.validation, config.validation_annotations),
        )
        clips = pd.concat(
            [_in_folders(root, annotations).assign(part=part) for part, root, annotations in parts]
        )
    else:
        assert rendered is not None
        clips = _in_folders(rendered, None)
        places = clips.sort_values("id").groupby("class_name").cumcount()
        clips["part"] = (places % 2).map({0: TRAIN_PART, 1: VALIDATION_PART})
    clips["id"] = clips["part"] + "/" + clips["id"]
    clips = clips.sort_values("id", ignore_index=True)
    if config.most_per_class is not None:
        within = clips.groupby(["part", "class_name"]).cumcount() < config.most_per_class
        clips = clips[within].reset_index(drop=True)
    return _checked(clips[list(LABELLED_CLIP_COLUMNS)])


def _in_folders(root: Path, annotations: Path | None) -> pd.DataFrame:
    rows, _ = list_classified_videos(root, sorted(VIDEO_SUFFIXES), annotations, None)
    found = pd.concat([batch.to_pandas() for batch in as_table(rows).batches()], ignore_index=True)
    clips: pd.DataFrame = found[found["class_name"].fillna("") != ""].copy()
    digests = [
        digest_of(*pair) for pair in zip(clips["bytes"].tolist(), clips["mtime_ns"].tolist(), strict=True)
    ]
    return clips.assign(digest=digests)


def _something_something(folder: Path) -> pd.DataFrame:
    rows = [
        (episode.trajectory.partition("/")[2], episode.split, episode.template, str(episode.path))
        for episode in list_something_something(folder)
        if episode.template
    ]
    clips = pd.DataFrame(rows, columns=["id", "part", "class_name", "path"])
    clips["id"] = clips["id"].str.rpartition("/")[2]
    return clips.assign(digest=[digest_of(size_and_time(Path(path))) for path in clips["path"]])


def _checked(clips: pd.DataFrame) -> pd.DataFrame:
    parts = {part: clips[clips["part"] == part] for part in (TRAIN_PART, VALIDATION_PART)}
    for part, rows in parts.items():
        if rows.empty:
            raise InputError(
                f"probe_clips: there is no {part} clip with a class. Remedy: put clips into class folders, "
                f"or name {part}_annotations for a flat one."
            )
    known = set(parts[TRAIN_PART]["class_name"])
    if len(known) < 2:
        raise InputError(
            f"probe_clips: all {len(parts[TRAIN_PART])} training clips are of one class. Remedy: name a "
            "folder with a folder for each class."
        )
    strange = sorted(set(parts[VALIDATION_PART]["class_name"]) - known)
    if len(strange) == parts[VALIDATION_PART]["class_name"].nunique():
        raise InputError(
            f"probe_clips: no class of the validation clips ({', '.join(strange[:3])}, ...) has a training "
            "clip. Remedy: name two parts of one data set."
        )
    return clips
