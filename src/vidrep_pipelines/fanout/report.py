"""Failures grouped by reason, as a table for the log."""

import re

import pandas as pd

_MOST_REASONS = 12
_EXAMPLES = 3
_LONGEST_REASON = 100
_PARTICULARS = re.compile(r"'[^']*'|\"[^\"]*\"|\S*/\S*|\d+")


def failure_table(failed: pd.DataFrame) -> str:
    """A text table: how many items failed, for which reason, for example which.

    Reasons that differ only in a path, a quoted name or a number count as one.

    Args:
        failed: Rows of failed items with the columns ``id`` and ``error``.
    """
    errors = failed["error"].fillna("").astype(str)
    kinds = [_kind(error, name) for error, name in zip(errors, failed["id"], strict=True)]
    lines = ["  count  reason (for example)"]
    groups = sorted(failed.assign(error=errors).groupby(kinds), key=lambda group: -len(group[1]))
    for _, group in groups[:_MOST_REASONS]:
        examples = ", ".join(group["id"].head(_EXAMPLES))
        reason = " ".join(group["error"].iloc[0].split())
        reason = reason if len(reason) <= _LONGEST_REASON else reason[: _LONGEST_REASON - 3] + "..."
        lines.append(f"  {len(group):5d}  {reason} ({examples})")
    if len(groups) > _MOST_REASONS:
        lines.append(f"         and {len(groups) - _MOST_REASONS} more reasons")
    return "\n".join(lines)


def _kind(error: str, name: str) -> str:
    own_id = rf"(?<!\w){re.escape(name)}(?!\w)"
    return _PARTICULARS.sub("*", re.sub(own_id, "*", error))
