"""Failures grouped by reason: a table for the log, and the whole list in a file."""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_file

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, with an apostrophe before texts that a spreadsheet would take for formulas.

    Names are chosen by whoever made the data, and a formula can send what stands in other cells elsewhere.
    """
    texts = table.select_dtypes(include=["object", "string", "category"]).columns
    return table.assign(**{name: table[name].map(_plain) for name in texts})


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


_MOST_REASONS = 12
_EXAMPLES = 3
_LONGEST_REASON = 100
_LONG_PATH = re.compile(r"(?<!\S)/\S*/([^\s/]+)")
"""The reason comes after it, and would be cut off. The table in the file has the whole path."""

_PARTICULARS = re.compile(r"'[^']*'|\"[^\"]*\"|\S*/\S*|\d+")


def failure_table(failed: pd.DataFrame) -> str:
    """A text table: how many items failed, for which reason, for example which.

    Reasons that differ only in a path, a quoted name or a number count as one.

    Args:
        failed: Rows of failed items with the columns ``id`` and ``error``.
    """
    lines = ["  count  reason (for example)"]
    groups = _groups(failed)
    for group in groups[:_MOST_REASONS]:
        examples = ", ".join(group["id"].head(_EXAMPLES))
        reason = " ".join(group["error"].iloc[0].split())
        reason = reason if len(reason) <= _LONGEST_REASON else _LONG_PATH.sub(r".../\1", reason)
        reason = reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 3] + "..."
        lines.append(f"  {len(group):5d}  {reason} ({examples})")
    if len(groups) > _MOST_REASONS:
        lines.append(f"         and {len(groups) - _MOST_REASONS} more reasons")
    return "\n".join(lines)


def write_failures(failed: pd.DataFrame, path: Path) -> None:
    """Writes the columns ``id`` and ``error`` of every failed item, the most frequent reasons first.

    Args:
        failed: Rows of failed items.
        path: The CSV file; removed when nothing failed.
    """
    if failed.empty:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as temporary:
        for_spreadsheets(pd.concat(_groups(failed))).to_csv(temporary, index=False)


def _groups(failed: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows by reason, most frequent first."""
    errors = failed["error"].fillna("").astype(str)
    kinds = pd.Series(map(_kind, errors, failed["id"]), index=failed.index, dtype=object)
    groups: Iterable[tuple[object, pd.DataFrame]] = failed.assign(error=errors).groupby(kinds, sort=False)
    return sorted((group for _, group in groups), key=len, reverse=True)


def _kind(error: str, name: str) -> str:
    own_id = rf"(?<!\w){re.escape(name)}(?!\w)"
    return _PARTICULARS.sub("*", re.sub(own_id, "*", error))
