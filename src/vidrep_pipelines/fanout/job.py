"""A fan-out job: one function applied to many items, each with its own products on disk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.partial_facts import PartialFacts, Scalar
from vidrep_pipelines.fanout.config import FanOutConfig

__all__ = ["Item", "ItemFunction", "Job", "PartialFacts", "Scalar"]

ItemFunction = Callable[[Any, Mapping[str, Path]], Mapping[str, Scalar]]


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
            to write that product to; the facts are one flat row of scalars. Raising makes the item fail,
            :class:`PartialFacts` have it made again by the next run.
        items: What to do, in the order of the manifest: a list, or an
            :class:`~vidrep_pipelines.fanout.item_table.ItemTable` when there are millions.
        suffixes: Endings of the products of each item, such as ``(".mp4",)``; empty when there are only rows.
        config: How to execute it.
    """

    name: str
    function: ItemFunction
    items: Sequence[Item]
    suffixes: tuple[str, ...]
    config: FanOutConfig
