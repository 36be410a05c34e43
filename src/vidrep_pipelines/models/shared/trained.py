"""A trained model of any system, loaded for use."""

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

_Source = TypeVar("_Source", bound=Hashable)
_Trained = TypeVar("_Trained")

_KEPT = 8
"""Models that a process keeps: one for each GPU of a machine."""


def loaded_once(
    load: Callable[[_Source, str], _Trained], source: _Source, version: str, device: str
) -> _Trained:
    """A trained model; a worker process loads it once for all its items.

    Args:
        load: Loads a source to a device.
        source: Where the model is.
        version: Digest of its weights, so that a process that outlives a training never uses the old ones.
        device: Where it is to be.
    """
    return cast(_Trained, _loaded(load, source, version, device))


@lru_cache(maxsize=_KEPT)
def _loaded(load: Callable[[Any, str], Any], source: Hashable, version: str, device: str) -> Any:
    del version  # part of the key
    return load(source, device)
