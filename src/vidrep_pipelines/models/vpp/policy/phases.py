"""Recordings of 50 steps a second that were cut into episodes of fewer: all show the same movement."""

import re

import pandas as pd

from vidrep_pipelines.common.errors import InputError

_NUMBER = re.compile(r"[0-9]{1,18}")
_SPLIT_FOLDERS = {"train", "training", "val", "validation", "val_d", "test"}


def recording_of(trajectory: str, phases: int) -> tuple[str, int]:
    """The recording that an episode is a phase of, and which phase.

    Episodes of recordings at 50 Hz are numbered ``phases`` times the recording's number plus the phase, or
    lie in one folder as ``phase0``, ``phase1``, ...

    Args:
        trajectory: Name of the episode.
        phases: Phases of every recording.
    """
    folder, _, name = trajectory.rpartition("/")
    if name.startswith("phase") and _NUMBER.fullmatch(name.removeprefix("phase")):
        return folder, int(name.removeprefix("phase"))
    if phases > 1 and _NUMBER.fullmatch(name):
        return f"{folder}/{int(name) // phases}", int(name) % phases
    return trajectory, 0


def require_recordings_apart(views: pd.DataFrame, phases: int) -> None:
    """Checks that all phases of a recording are in one split: they show the same movement.

    Args:
        views: Rows of a store's table, with ``trajectory`` and ``split``.
        phases: Phases of every recording.

    Raises:
        InputError: Phases of one recording are in several splits.
    """
    names = views["trajectory"].to_numpy()
    recordings = pd.Series([recording_of(name, phases)[0] for name in names], views.index, dtype="str")
    cut = recordings != names  # others are no phases
    splits = views["split"][cut].groupby(recordings[cut].map(_without_split)).nunique()
    if (splits > 1).any():
        name = splits.index[splits > 1][0]
        raise InputError(
            f"Phases of {int((splits > 1).sum())} recordings, such as {name!r}, are both trained on and held "
            "out. Remedy: ingest them with all_phases, which keeps them together, or use the first only "
            "(policy_items.items.phases: first)."
        )


def _without_split(name: str) -> str:
    """A split's folder is part of the name, but not of the recording."""
    return "/".join(part for part in name.split("/") if part not in _SPLIT_FOLDERS)
