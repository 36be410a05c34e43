"""Which names can stand for an item of work, and so for the files that are made of it."""

import re

from vidrep_pipelines.common.atomic import TEMPORARY_MARK
from vidrep_pipelines.common.text import LONGEST_NAME

BOOKKEEPING = "_parts"
"""Folder inside a job's folder that no item may write to."""

_LONGEST_PART = LONGEST_NAME - 15
"""Bytes of a part of a path: the rest is for the suffixes of what is made of it."""

UNUSABLE_ID = (
    r"^/|/$|//|(^|/)\.\.?(/|$)|[\x00-\x1f\x7f]|"
    + TEMPORARY_MARK.replace(".", r"\.")
    + f"|^{BOOKKEEPING}(/|$)|^$|[^/]{{{_LONGEST_PART + 1}}}"
)
"""Finds ids that are no relative path, are too long, or would be taken for files of the project itself."""

_UNUSABLE = re.compile(UNUSABLE_ID)


def is_usable(item_id: str) -> bool:
    """Whether files named after this id can be written below a folder."""
    longest = max(len(part.encode("utf-8", "replace")) for part in item_id.split("/"))
    return _UNUSABLE.search(item_id) is None and longest <= _LONGEST_PART
