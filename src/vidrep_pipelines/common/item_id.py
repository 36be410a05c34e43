"""Which names can stand for an item of work, and so for the files that are made of it."""

import re

from vidrep_pipelines.common.atomic import TEMPORARY_MARK
from vidrep_pipelines.common.text import fits_file_system

BOOKKEEPING = "_parts"
"""Folder inside a job's folder that no item may write to."""

UNUSABLE_ID = (
    r"^/|/$|//|(^|/)\.\.?(/|$)|[\x00-\x1f\x7f]|"
    + TEMPORARY_MARK.replace(".", r"\.")
    + f"|^{BOOKKEEPING}(/|$)|^$"
)
"""Finds ids that are no relative path, or would be taken for files of the project itself."""

_UNUSABLE = re.compile(UNUSABLE_ID)


def is_usable(item_id: str) -> bool:
    """Whether files named after this id can be written below a folder."""
    named = all(fits_file_system(part) for part in item_id.split("/"))
    return named and _UNUSABLE.search(item_id) is None
