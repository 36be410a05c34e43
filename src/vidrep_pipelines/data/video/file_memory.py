"""What was found out about files, for as long as they do not change."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from vidrep_pipelines.data.video.stored_video import holding_file

T = TypeVar("T")
_Key = tuple[str, str, int, int]


class FileMemory:
    """Remembers the results of functions of a file; what was not asked for longest is forgotten first.

    Args:
        capacity: How many results are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._results: OrderedDict[_Key, Any] = OrderedDict()

    def recall(self, path: Path, make: Callable[[Path], T]) -> T:
        """``make(path)``, unless it was made before for the same state of the file. Errors are not kept."""
        key = _key(path, make)
        if key is None:
            return make(path)  # raises with the reason
        if key not in self._results:
            self._results[key] = make(path)
        self._results.move_to_end(key)
        if len(self._results) > self._capacity:
            self._results.popitem(last=False)
        return cast(T, self._results[key])

    def replace(self, path: Path, make: Callable[[Path], T], result: T) -> None:
        """Lets ``recall(path, make)`` return ``result`` from now on."""
        key = _key(path, make)
        if key is not None:
            self._results[key] = result

    def meets_again(self, path: Path) -> bool:
        """Whether this was asked before about the same state of the file."""
        known = _key(path, _acquaintance) in self._results
        self.recall(path, _acquaintance)
        return known


def _acquaintance(path: Path) -> Path:
    """All that there is to remember about having met a file."""
    return path


def _key(path: Path, make: Callable[[Path], Any]) -> _Key | None:
    try:
        status = holding_file(path).stat()
    except OSError:
        return None
    return make.__name__, str(path), status.st_size, status.st_mtime_ns
