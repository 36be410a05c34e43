"""Which two videos are shown side by side."""

from collections.abc import Sequence

import pandas as pd

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.config import ShownVideosConfig


def choose_pair(
    labelled: LabelledVideos, embedded: Sequence[str], split: str, config: ShownVideosConfig
) -> tuple[str, str]:
    """Names of the query, which plays evenly, and of the key, whose frames are looked up.

    Args:
        labelled: The release.
        embedded: Videos that there are embeddings of.
        split: Of the videos; where it has no two of an action, those of all splits are taken.
        config: The rule; by lengths the query is the longer one.

    Raises:
        ConfigurationError: A named video or action does not exist.
        InputError: No action has two videos.
    """
    usable = labelled.table[labelled.table["id"].isin(set(embedded))]
    if config.videos is not None:
        for name in config.videos:
            if name not in set(usable["id"]):
                raise ConfigurationError(
                    f"shown.videos: there is no video {name!r} with labels and embeddings, but for example "
                    f"{usable['id'].head(3).tolist()}."
                )
        return config.videos
    rows = _of_action(usable, split, config.action)
    if config.rule == "lengths":
        complete = rows[rows["absent_phases"].isna()]
        rows = complete if len(complete) > 1 else rows
        rows = rows.sort_values("frames", ascending=False, kind="stable").iloc[[0, -1]]
    query, key = rows["id"].iloc[:2].tolist()
    return query, key


def _of_action(videos: pd.DataFrame, split: str, action: str | None) -> pd.DataFrame:
    """The videos of the named action, or of the first one that has two, in the split if there are two."""
    if action is not None and action not in set(videos["action"]):
        raise ConfigurationError(
            f"shown.action: there is no {action!r}, only {sorted(set(videos['action']))}."
        )
    for rows in (videos[videos["split"] == split], videos):
        counts = rows["action"].value_counts(sort=False)
        names = [name for name in counts.index if counts[name] > 1 and action in (None, name)]
        if names:
            found: pd.DataFrame = rows[rows["action"] == names[0]]
            return found
    raise InputError(
        f"There are no two videos of {action or 'one action'} to be shown side by side. Remedy: name a pair "
        "in shown.videos."
    )
