"""A fan-out job: one function applied to many items, each with its own products on disk."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.atomic import TEMPORARY_MARK
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.text import is_utf8
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError

BOOKKEEPING = "_parts"
"""Folder inside a job's folder that no item may write to."""

Scalar = str | int | float | bool | None
ItemFunction = Callable[[Any, Mapping[str, Path]], Mapping[str, Scalar]]

_BAD_ID = re.compile(
    r"^/|/$|//|(^|/)\.\.?(/|$)|[\x00-\x1f\x7f]|" + re.escape(TEMPORARY_MARK) + f"|^{BOOKKEEPING}(/|$)|^$"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of work.

    Attributes:
        id: Relative path with forward slashes, such as ``pouring/clip_003``; products are named after it.
        payload: What the function gets; picklable and small (paths and numbers, not frames).
        digest: Digest of everything that determines the result. When it changes, the item is redone.
    """

    id: str
    payload: Any
    digest: str


@dataclass(frozen=True, slots=True)
class Job:
    """A function and the items to apply it to.

    Attributes:
        name: Shown in logs and progress, such as ``resize``.
        function: Top-level function ``(payload, outputs) -> facts``. ``outputs[suffix]`` is a temporary path
            to write that product to; the facts are one flat row of scalars. Raising makes the item fail.
        items: What to do, in the order of the manifest.
        suffixes: Endings of the products of each item, such as ``(".mp4",)``; empty when there are only rows.
        config: How to execute it.
    """

    name: str
    function: ItemFunction
    items: Sequence[Item]
    suffixes: tuple[str, ...]
    config: FanOutConfig

    @property
    def digest(self) -> str:
        """Changes whenever an item is added, removed, moved or changed, or other products are wanted."""
        return digest_of(self.suffixes, [(item.id, item.digest) for item in self.items])


def check_items(job: Job) -> None:
    """Refuses ids that are used twice or would write outside of the job's folder.

    Raises:
        FanOutError: Names the first offending ids.
    """
    bad = [item.id for item in job.items if _BAD_ID.search(item.id) or not is_utf8(item.id)]
    if bad:
        raise FanOutError(
            f"{job.name}: {len(bad)} ids are not relative paths that can be written below a folder, such as "
            f"{bad[:3]!a}. Remedy: rename these files."
        )
    counts = Counter(item.id for item in job.items)
    if len(counts) < len(job.items):
        repeated = [name for name, count in counts.items() if count > 1][:3]
        raise FanOutError(
            f"{job.name}: ids occur more than once, such as {repeated}. Remedy: give every item its own id "
            "(two files that differ only in their ending get the same one)."
        )
