"""The label filter: which clips are kept, and for each dropped one the reason."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.suggestions import warn_of_absent
from vidrep_pipelines.common.text import composed
from vidrep_pipelines.data.clips.class_list import LabelledClip, class_ids
from vidrep_pipelines.data.clips.config import LabelFilterConfig
from vidrep_pipelines.data.tables.table import (
    LazyTable,
    Rows,
    Table,
    checked_order,
    conform,
    joined_text,
    schema_of,
    sorted_by_id,
)

CLIP_COLUMNS = {
    "id": "string",
    "class_id": "int32",
    "class_name": "string",
    "path": "string",
    "frames": "int64",
    "width": "int32",
    "height": "int32",
    "frames_per_second": "Float64",
    "duration_seconds": "Float64",
    "verdict": "string",
    "source_path": "string",
    "digest": "string",
}
"""Columns of the clip table."""

_MOST_NAMED = 3
"""Clips of a kind that the log names; the tables have all."""

_log = logging.getLogger(__name__)

DROPPED_COLUMNS = dict.fromkeys(("id", "class_name", "source_path", "reason"), "string")
"""Columns of the table of dropped videos."""


@dataclass(frozen=True)
class FilterResult:
    """The outcome of the label filter. The tables are computed when one goes through them.

    Attributes:
        clips: One row per kept clip (``CLIP_COLUMNS``), sorted by id; class ids follow the sorted names.
        dropped: One row for every other video (``DROPPED_COLUMNS``), sorted by id.
        report: Counts as plain data: listed, kept, dropped, reasons, classes, frames.
    """

    clips: LazyTable
    dropped: LazyTable
    report: dict[str, object]


def filter_clips(
    index: Rows,
    config: LabelFilterConfig,
    label_list: Iterable[LabelledClip] | None = None,
    suffix: str = ".mp4",
) -> FilterResult:
    """Applies the rules to the verdicts of the full decode; the first rule that a clip breaks is its reason.

    The index is gone through once to count, and once more for each of the two tables.

    Args:
        index: The resized index, sorted by id: every raw video with the outcome of resizing.
        config: The rules.
        label_list: An official label list, when only the clips that it names may stay.
        suffix: File ending of resized clips.

    Raises:
        InputError: No clip is left; the message counts the reasons. Or the index is not sorted.
    """
    rules = _Rules(config, None if label_list is None else _named_clips(label_list))
    table = sorted_by_id(index)
    counts = _Counts()
    for batch in checked_order(table.batches(), "resized index"):
        counts.add(batch, rules.reasons(batch))
    warn_of_absent("label_filter.include_classes", config.include_classes, counts.listed_classes)
    warn_of_absent("label_filter.exclude_classes", config.exclude_classes, counts.listed_classes)
    if not counts.frames:
        raise InputError(
            f"label_filter kept none of {counts.listed} videos. Most frequent reasons: "
            f"{dict(counts.reasons.most_common(5))}. "
            "Remedy: check ingest.root and the label_filter parameters."
        )
    names = pa.array(list(class_ids(counts.classes)), pa.large_string())
    counts.tell()
    clips, dropped = schema_of(CLIP_COLUMNS), schema_of(DROPPED_COLUMNS)
    return FilterResult(
        LazyTable(clips, lambda: _kept(table, rules, names, suffix, clips)),
        LazyTable(dropped, lambda: _dropped(table, rules, dropped)),
        counts.report(),
    )


@dataclass(frozen=True)
class _Rules:
    config: LabelFilterConfig
    named: pa.Array | None

    def reasons(self, rows: pa.RecordBatch) -> pa.Array:
        """The reason per row, null where the clip is kept. Earlier rules win."""
        broken, reasons = zip(*self._each(rows), strict=True)
        return pc.case_when(pc.make_struct(*broken), *reasons, pa.scalar(None, pa.large_string()))

    def _each(self, rows: pa.RecordBatch) -> Iterator[tuple[pa.Array, pa.Array | pa.Scalar]]:
        """Pairs of (which rows break the rule, the reason to give)."""
        config = self.config
        yield (
            pc.fill_null(pc.not_equal(rows["status"], "ok"), True),
            pc.fill_null(rows["reason"].cast(pa.large_string()), "not resized"),
        )
        yield pc.less(rows["frames"], config.min_frames), _text(f"fewer than {config.min_frames} frames")
        short_side = pc.min_element_wise(rows["source_width"], rows["source_height"])
        yield (
            pc.less(short_side, config.min_short_side),
            _text(f"short side under {config.min_short_side} pixels"),
        )
        if config.drop_truncated:
            yield pc.equal(rows["verdict"], "truncated"), _text("truncated")
        names = _composed(rows["class_name"].cast(pa.large_string()))
        if config.include_classes:
            yield pc.invert(_among(names, config.include_classes)), _text("class not included")
        if config.exclude_classes:
            yield _among(names, config.exclude_classes), _text("class excluded")
        if self.named is not None:
            ids = _composed(rows["id"].cast(pa.large_string()))
            keys = joined_text(names, "/", pc.replace_substring_regex(ids, "^(?s:.*)/", ""))
            known = pc.or_(pc.is_in(keys, value_set=self.named), pc.is_in(ids, value_set=self.named))
            yield pc.invert(known), _text("not in the label list")


@dataclass
class _Counts:
    """What the report says, gathered batch by batch."""

    listed: int = 0
    truncated: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    frames: Counter[int] = field(default_factory=Counter)
    listed_classes: set[str] = field(default_factory=set)
    dropped_examples: list[str] = field(default_factory=list)
    truncated_examples: list[str] = field(default_factory=list)

    def add(self, rows: pa.RecordBatch, reasons: pa.Array) -> None:
        """Counts a batch, given the reason per row."""
        kept = rows.filter(reasons.is_null())
        self.listed += len(rows)
        self.listed_classes.update(name for name in pc.unique(rows["class_name"]).to_pylist() if name)
        cut_off = kept["id"].filter(pc.fill_null(pc.equal(kept["verdict"], "truncated"), False))
        self.truncated += len(cut_off)
        self.truncated_examples += cut_off[: _MOST_NAMED - len(self.truncated_examples)].to_pylist()
        dropped = rows.filter(reasons.is_valid())[: _MOST_NAMED - len(self.dropped_examples)]
        why = reasons.drop_null()[: len(dropped)]
        self.dropped_examples += joined_text(dropped["id"], " (", why, ")").to_pylist()
        self.reasons.update(_value_counts(reasons.drop_null()))
        self.classes.update(_value_counts(kept["class_name"]))
        self.frames.update(_value_counts(kept["frames"]))

    def tell(self) -> None:
        """Names clips that are not used, or not to their end: nobody has to open a table to learn of them."""
        dropped = self.reasons.total()
        if dropped:
            named = _enumeration(self.dropped_examples, dropped)
            text = "label_filter dropped %d of %d videos: %s. All are in dropped_clips.parquet"
            _log.warning(text, dropped, self.listed, named)
        if self.truncated:
            named = _enumeration(self.truncated_examples, self.truncated)
            text = "label_filter kept %d that break off, up to there: %s. See verdict in clip_table.parquet"
            _log.warning(text, self.truncated, named)

    def report(self) -> dict[str, object]:
        """Plain data."""
        lengths = np.array(sorted(self.frames))
        clips = np.array([self.frames[length] for length in lengths.tolist()])
        kept = int(clips.sum())
        # The two clips in the middle; the same one if their number is odd.
        middle = np.searchsorted(clips.cumsum(), [(kept - 1) // 2, kept // 2], side="right")
        return {
            "listed": self.listed,
            "kept": kept,
            "dropped": self.listed - kept,
            "truncated_but_kept": self.truncated,
            "reasons": dict(self.reasons.most_common()),
            "classes": dict(sorted(self.classes.items())),
            "frames": {
                "total": int(lengths @ clips),
                "median": float(lengths[middle].mean()),
                "min": int(lengths[0]),
                "max": int(lengths[-1]),
            },
        }


def _kept(
    table: Table, rules: _Rules, class_names: pa.Array, suffix: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    for batch in table.batches():
        rows = batch.filter(rules.reasons(batch).is_null())
        path = joined_text(rows["id"], suffix)
        number = pc.index_in(rows["class_name"].cast(pa.large_string()), value_set=class_names)
        yield conform(rows.append_column("path", path).append_column("class_id", number), schema)


def _dropped(table: Table, rules: _Rules, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in table.batches():
        reasons = rules.reasons(batch)
        rows = batch.select(["id", "class_name", "source_path"]).append_column("reason", reasons)
        yield conform(rows.filter(reasons.is_valid()), schema)


def _named_clips(label_list: Iterable[LabelledClip]) -> pa.Array:
    """The names under which a clip of the list may be known here.

    ``class/clip`` serves lists of other preparations: what comes before differs between them. The path below
    the data folder equals the id in lists that this project wrote, also where folders are flat or nested.
    """
    paths = [PurePosixPath(composed(clip.path)) for clip in label_list]
    below_data_folder = {
        str(PurePosixPath(*path.parts[1:]).with_suffix("")) for path in paths if path.parts[1:]
    }
    names = {f"{path.parent.name}/{path.stem}" for path in paths} | below_data_folder
    return pa.array(sorted(names), pa.large_string())


def _among(names: pa.Array, wanted: Iterable[str]) -> pa.Array:
    return pc.is_in(names, value_set=pa.array([composed(name) for name in wanted], pa.large_string()))


def _composed(names: pa.Array) -> pa.Array:
    """Composes like ``text.composed``. Arrow's ``utf8_normalize`` leaves letters and their accents apart."""
    foreign = pc.fill_null(pc.invert(pc.string_is_ascii(names)), False)
    spelled = [composed(name) for name in names.filter(foreign).to_pylist()]
    return pc.replace_with_mask(names, foreign, pa.array(spelled, names.type))


def _enumeration(examples: list[str], count: int) -> str:
    more = count - len(examples)
    return ", ".join([*examples, *([f"and {more} more"] if more else [])])


def _text(reason: str) -> pa.Scalar:
    return pa.scalar(reason, pa.large_string())


def _value_counts(values: pa.Array) -> dict[Any, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(values).to_pylist()}
