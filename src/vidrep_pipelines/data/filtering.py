"""The label filter: which clips are kept, and for each dropped one the reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.config import LabelFilterConfig
from vidrep_pipelines.data.labels import LabelledClip, class_ids

CLIP_COLUMNS = [
    "id",
    "class_id",
    "class_name",
    "path",
    "frames",
    "width",
    "height",
    "frames_per_second",
    "duration_seconds",
    "verdict",
    "source_path",
    "digest",
]


@dataclass(frozen=True)
class FilterResult:
    """The outcome of the label filter.

    Attributes:
        clips: One row per kept clip (``CLIP_COLUMNS``), sorted by id; class ids follow the sorted names.
        dropped: id, class_name, source_path, reason of every other video.
        report: Counts as plain data: listed, kept, dropped, reasons, classes, frames.
    """

    clips: pd.DataFrame
    dropped: pd.DataFrame
    report: dict[str, object]


def filter_clips(
    index: pd.DataFrame,
    config: LabelFilterConfig,
    label_list: Iterable[LabelledClip] | None = None,
    suffix: str = ".mp4",
) -> FilterResult:
    """Applies the rules to the verdicts of the full decode; the first rule that a clip breaks is its reason.

    Args:
        index: The resized index: every raw video with the outcome of resizing.
        config: The rules.
        label_list: An official label list, when only the clips that it names may stay.
        suffix: File ending of resized clips.

    Raises:
        InputError: No clip is left; the message counts the reasons.
    """
    reasons = _reasons(index, config, None if label_list is None else _named_clips(label_list))
    kept = index[reasons.isna()].sort_values("id", ignore_index=True)
    dropped = index.assign(reason=reasons)[reasons.notna()]
    dropped = dropped[["id", "class_name", "source_path", "reason"]].sort_values("id", ignore_index=True)
    if kept.empty:
        counts = dropped["reason"].value_counts().head(5).to_dict()
        raise InputError(
            f"label_filter kept none of {len(index)} videos. Most frequent reasons: {counts}. "
            "Remedy: check ingest.root and the label_filter parameters."
        )
    clips = _with_class_ids(kept.assign(path=kept["id"] + suffix))
    return FilterResult(clips, dropped, _report(index, clips, dropped))


def _reasons(index: pd.DataFrame, config: LabelFilterConfig, named: set[str] | None) -> pd.Series:
    """The reason per row, missing where the clip is kept. Earlier rules win."""
    reasons = pd.Series(pd.NA, index=index.index, dtype="string")
    for broken, reason in _rules(index, config, named):
        hit = broken.fillna(False).astype(bool) & reasons.isna()
        reasons = reasons.mask(hit, reason)
    return reasons


def _rules(
    index: pd.DataFrame, config: LabelFilterConfig, named: set[str] | None
) -> list[tuple[pd.Series, pd.Series | str]]:
    """Pairs of (which rows break the rule, the reason to give)."""
    rules: list[tuple[pd.Series, pd.Series | str]] = [
        (index["status"] != "ok", index["reason"].astype("string").fillna("not resized")),
        (index["frames"] < config.min_frames, f"fewer than {config.min_frames} frames"),
    ]
    short_side = index[["source_width", "source_height"]].min(axis=1)
    rules.append((short_side < config.min_short_side, f"short side under {config.min_short_side} pixels"))
    if config.drop_truncated:
        rules.append((index["verdict"] == "truncated", "truncated"))
    if config.include_classes:
        rules.append((~index["class_name"].isin(config.include_classes), "class not included"))
    if config.exclude_classes:
        rules.append((index["class_name"].isin(config.exclude_classes), "class excluded"))
    if named is not None:
        keys = index["class_name"] + "/" + index["id"].map(lambda name: PurePosixPath(name).name)
        rules.append((~(keys.isin(named) | index["id"].isin(named)), "not in the label list"))
    return rules


def _named_clips(label_list: Iterable[LabelledClip]) -> set[str]:
    """The names under which a clip of the list may be known here.

    ``class/clip`` serves lists of other preparations: what comes before differs between them. The path below
    the data folder equals the id in lists that this project wrote, also where folders are flat or nested.
    """
    paths = [PurePosixPath(clip.path) for clip in label_list]
    below_data_folder = {
        str(PurePosixPath(*path.parts[1:]).with_suffix("")) for path in paths if path.parts[1:]
    }
    return {f"{path.parent.name}/{path.stem}" for path in paths} | below_data_folder


def _with_class_ids(clips: pd.DataFrame) -> pd.DataFrame:
    clips = clips.assign(class_id=clips["class_name"].map(class_ids(clips["class_name"])).astype("int32"))
    sizes = {"frames": "int64", "width": "int32", "height": "int32"}
    return clips.reindex(columns=CLIP_COLUMNS).astype(sizes)


def _report(index: pd.DataFrame, clips: pd.DataFrame, dropped: pd.DataFrame) -> dict[str, object]:
    reasons = dropped["reason"].value_counts()
    classes = clips["class_name"].value_counts().sort_index()
    return {
        "listed": len(index),
        "kept": len(clips),
        "dropped": len(dropped),
        "truncated_but_kept": int((clips["verdict"] == "truncated").sum()),
        "reasons": {str(reason): int(count) for reason, count in reasons.items()},
        "classes": {str(name): int(count) for name, count in classes.items()},
        "frames": {
            "total": int(clips["frames"].sum()),
            "median": float(clips["frames"].median()),
            "min": int(clips["frames"].min()),
            "max": int(clips["frames"].max()),
        },
    }
